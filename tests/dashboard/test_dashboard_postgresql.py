"""The live dashboard over a study on a PostgreSQL server; skipped where Debian's server is missing."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from test_dashboard import Served, add_trial

from fer_lightning.sweeps.study.address import storage_url
from fer_lightning.sweeps.study.storage import open_storage
from postgresql_server import BINARIES

pytestmark = [
    pytest.mark.skipif(BINARIES is None, reason="needs the PostgreSQL server (apt install postgresql)"),
    pytest.mark.slow,
]


def test_a_study_on_a_server_has_its_notes_and_stays_as_it_is(server: str, tmp_path: Path) -> None:
    storage = open_storage(storage_url(server, tmp_path))
    study = optuna.create_study(study_name="faces", storage=storage, direction="maximize")
    optuna.create_study(study_name="another", storage=storage)
    study.set_user_attr("directory", str(tmp_path))
    add_trial(study, tmp_path, 0, TrialState.COMPLETE)
    served = Served(server, "faces")
    try:
        add_trial(study, tmp_path, 1, TrialState.PRUNED)
        notes = [trial["note"]["body"] for trial in served.detail()["trials"]]
        assert "/files/trial_0000/confusion.png" in notes[0]
        assert "pruned" in notes[1]
        assert served.ask("GET", "/files/trial_0001/saliency.png")[0] == 200
        assert served.ask("DELETE", f"/api/studies/{study._study_id}")[0] == 405
        names = [
            each["study_name"] for each in json.loads(served.ask("GET", "/api/studies")[2])["study_summaries"]
        ]
        assert sorted(names) == ["another", "faces"]
        assert not [key for key in storage.get_study_system_attrs(study._study_id) if "note" in key]
    finally:
        served.close()
