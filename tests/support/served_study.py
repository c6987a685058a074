"""A small study with pictures, and its dashboard served to a test."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import TrialState, create_trial
from PIL import Image

from fer_lightning.dashboard.server import HOST, application, open_server
from fer_lightning.sweeps.study.results import load_study, study_folder
from fer_lightning.sweeps.study.storage import open_storage


def add_trial(study: optuna.Study, folder: Path, number: int, state: TrialState, **attrs: object) -> None:
    """A trial as a job leaves it, its pictures in grey levels that tell the trials apart."""
    place = folder / f"trial_{number:04d}"
    place.mkdir()
    for name in ("saliency", "confusion", "history"):
        grey = np.full((40, 60), 40 * number + 20, np.uint8)
        Image.fromarray(grey).save(place / f"{name}.png")
    known = {"directory": place.name, "seed": number, "seconds": 12.4, "arm": "activation=relu", **attrs}
    study.add_trial(
        create_trial(
            state=state,
            value=0.5 + number / 10 if state == TrialState.COMPLETE else None,
            params={"activation": "relu"},
            distributions={"activation": optuna.distributions.CategoricalDistribution(["relu", "selu"])},
            user_attrs=known,
        )
    )


def make_study(folder: Path, kind: str = "sqlite") -> optuna.Study:
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'study.db'}" if kind == "sqlite" else f"journal:{folder / 'study.journal'}"
    study = optuna.create_study(study_name="faces", storage=open_storage(url), direction="maximize")
    study.set_user_attr("directory", str(folder))
    add_trial(study, folder, 0, TrialState.COMPLETE)
    add_trial(study, folder, 1, TrialState.COMPLETE)
    add_trial(study, folder, 2, TrialState.FAIL, reason="<b>no</b> [space](left)")
    return study


class Served:
    """A running dashboard."""

    def __init__(
        self,
        place: Path | str,
        study_name: str | None = None,
        root_path: str = "",
        token: str | None = None,
        host: str = HOST,
        *,
        faces: Callable[[], bytes | None] | None = None,
    ) -> None:
        study = load_study(place, study_name)
        self.study, self.folder = study, study_folder(study, place)
        app = application(study._storage, study.study_name, self.folder, root_path, token, faces=faces)
        self.server = open_server(app, 0, host)
        self.port = self.server.server_port
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def ask(
        self, method: str, path: str, host: str | None = None, cookie: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=host is not None)
            if host is not None:
                connection.putheader("Host", host)
            if cookie is not None:
                connection.putheader("Cookie", cookie)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def detail(self) -> dict:
        status, _, body = self.ask("GET", f"/api/studies/{self.study._study_id}")
        assert status == 200
        found: dict = json.loads(body)
        return found
