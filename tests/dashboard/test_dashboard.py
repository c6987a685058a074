"""The live dashboard, asked over HTTP as a browser would, and in a browser."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from optuna.trial import TrialState, create_trial

from fer_lightning.commands import dashboard
from fer_lightning.dashboard.notes import note_attributes, note_of
from fer_lightning.dashboard.read_only import host_name
from fer_lightning.dashboard.server import open_server
from fer_lightning.dashboard.storage_view import ReadOnlyStorage
from fer_lightning.dashboard.trial_pictures import Pictures, address_of
from fer_lightning.errors import ConfigError
from fer_lightning.runs.run import Run
from fer_lightning.sweeps.study.results import load_study
from served_study import Served, add_trial, make_study


@pytest.fixture(scope="module", params=["sqlite", "journal"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("dashboard") / "study"
    make_study(folder, request.param)
    (folder / "notes.txt").write_text("not a picture")
    (folder.parent / "outside.png").write_bytes((folder / "trial_0000" / "history.png").read_bytes())
    found = Served(folder)
    yield found
    found.close()


def states_of(served: Served) -> list[str]:
    return [trial.state.name for trial in load_study(served.folder).get_trials()]


def test_nobody_changes_a_study(served):
    study = served.study._study_id
    trial = served.study.get_trials()[0]._trial_id
    for method, path in [
        ("DELETE", f"/api/studies/{study}"),
        ("POST", "/api/studies"),
        ("POST", f"/api/studies/{study}/rename"),
        ("PUT", f"/api/studies/{study}/note"),
        ("PUT", f"/api/studies/{study}/{trial}/note"),
        ("POST", f"/api/trials/{trial}/tell"),
        ("POST", f"/api/trials/{trial}/user-attrs"),
        ("POST", f"/api/artifacts/{study}/{trial}"),
        ("PATCH", "/"),
        ("TRACE", "/"),
        ("delete", f"/api/studies/{study}"),
    ]:
        status, headers, body = served.ask(method, path)
        assert (status, body) == (405, b"this dashboard is read-only\n"), (method, path)
        assert headers["Allow"] == "GET, HEAD, OPTIONS"
    assert states_of(served) == ["COMPLETE", "COMPLETE", "FAIL"]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "localhost@evil.example", "0.0.0.0"],
)
def test_a_foreign_host_is_refused(served, host):
    for method, path in [("GET", "/api/studies"), ("GET", "/files/trial_0000/history.png"), ("DELETE", "/")]:
        assert served.ask(method, path, host=host)[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:8080", "[::1]:8080", "localhost"])
def test_this_machine_by_its_names_is_answered(served, host):
    assert served.ask("GET", "/api/studies", host=host)[0] == 200


def test_a_host_header_is_read_to_its_port():
    names = {"[::1]:80": "[::1]", "[::1]": "[::1]", "a.b:1": "a.b", "A.b": "a.b", "a:b": "a:b", " x ": "x"}
    assert {header: host_name(header) for header in names} == names


def test_notes_show_the_pictures_that_are_there(served):
    trials = served.detail()["trials"]
    body = trials[0]["note"]["body"]
    assert body.startswith("**activation=relu** · complete · seed 0 · 12 s\n")
    places = [body.index(f"trial_0000/{name}.png") for name in ("confusion", "saliency", "history")]
    assert places == sorted(places)
    address = body.split("](")[1].split(")")[0]
    status, headers, content = served.ask("GET", address)
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert content == (served.folder / "trial_0000" / "confusion.png").read_bytes()
    assert headers["X-Content-Type-Options"] == "nosniff"
    failed = trials[2]["note"]["body"]
    assert "<b>" not in failed
    assert "[space]" not in failed


def test_the_notes_are_not_written_to_the_study(served):
    served.detail()
    attrs = served.study._storage.get_study_system_attrs(served.study._study_id)
    assert not [key for key in attrs if "note" in key]


@pytest.mark.parametrize(
    "path",
    [
        "/files/../outside.png",
        "/files/%2e%2e/outside.png",
        "/files/..%2foutside.png",
        "/files//etc/passwd",
        "/files/study.db",
        "/files/study.journal",
        "/files/notes.txt",
        "/files/trial_0000",
        "/files/trial_0000/link.png",
        "/files/trial_0000/%00.png",
        "/files/",
    ],
)
def test_nothing_but_pictures_of_the_study_is_served(served, path):
    link = served.folder / "trial_0000" / "link.png"
    if not link.is_symlink():
        link.symlink_to(served.folder.parent / "outside.png")
    status, _, body = served.ask("GET", path)
    assert (status, body) == (404, b"no such picture\n")
    assert address_of(link, served.folder) is None


def test_a_trial_that_ends_meanwhile_is_shown(tmp_path):
    study = make_study(tmp_path / "study")
    served = Served(tmp_path / "study")
    try:
        assert len(served.detail()["trials"]) == 3
        add_trial(study, tmp_path / "study", 3, TrialState.COMPLETE)
        # The dashboard reads the trials anew every two seconds.
        for _ in range(100):
            if len(trials := served.detail()["trials"]) == 4:
                break
            threading.Event().wait(0.1)
        assert "trial_0003/saliency.png" in trials[3]["note"]["body"]
    finally:
        served.close()


def test_the_storage_only_reads(tmp_path):
    study = make_study(tmp_path / "study")
    storage = ReadOnlyStorage(study._storage, lambda _: tmp_path / "study")
    trial = study.get_trials()[0]._trial_id
    for write in (
        lambda: storage.delete_study(study._study_id),
        lambda: storage.create_new_study(study.directions),
        lambda: storage.create_new_trial(study._study_id),
        lambda: storage.set_study_user_attr(study._study_id, "a", 1),
        lambda: storage.set_study_system_attr(study._study_id, "a", 1),
        lambda: storage.set_trial_user_attr(trial, "a", 1),
        lambda: storage.set_trial_system_attr(trial, "a", 1),
        lambda: storage.set_trial_intermediate_value(trial, 0, 1.0),
        lambda: storage.set_trial_state_values(trial, TrialState.FAIL),
    ):
        with pytest.raises(PermissionError, match="it never writes"):
            write()
    assert [each.state.name for each in study.get_trials()] == ["COMPLETE", "COMPLETE", "FAIL"]


def test_a_note_of_a_persons_own_stands(tmp_path):
    study = make_study(tmp_path / "study")
    trial = study.get_trials()[1]._trial_id
    for key, value in note_attributes(trial, "my own words").items():
        study._storage.set_study_system_attr(study._study_id, key, value)
    served = Served(tmp_path / "study")
    try:
        bodies = [each["note"]["body"] for each in served.detail()["trials"]]
        assert bodies[1] == "my own words"
        assert "confusion" in bodies[0]
    finally:
        served.close()


def test_a_long_note_is_kept_in_pieces():
    body = "".join(chr(97 + number % 26) for number in range(5000))
    attrs = note_attributes(7, body)
    pieces = [attrs[f"dashboard:7:note_str:{number}"] for number in range(3)]
    assert "".join(pieces) == body
    assert max(map(len, pieces)) <= 2048


def test_pictures_come_in_the_order_of_their_use(tmp_path):
    for name in ("history.png", "zebra.png", "saliency.png", "confusion.png", ".hidden.png", "x.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in Run(tmp_path).pictures] == [
        "confusion.png",
        "saliency.png",
        "history.png",
        "zebra.png",
    ]
    for place, name in (("lime", "lime.png"), ("epochs", "001.png"), ("wandb", "saliency.png")):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).write_bytes(b"x")
    assert [path.name for path in Run(tmp_path).pictures] == [
        "confusion.png",
        "saliency.png",
        "lime.png",
        "history.png",
        "zebra.png",
    ]
    assert Run(tmp_path / "nowhere").pictures == []
    assert Pictures(tmp_path, lambda *_: []).find("zebra.png") == tmp_path.resolve() / "zebra.png"


def test_a_secret_in_a_reason_is_not_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_TOKEN", "planted-secret-0123")
    trial = create_trial(
        state=TrialState.FAIL, user_attrs={"directory": "t", "reason": "at planted-secret-0123"}
    )
    assert "planted" not in note_of(trial, tmp_path)


def test_a_port_that_cannot_be_had_is_said(tmp_path):
    make_study(tmp_path / "study")
    server = open_server(lambda *_: [], 0)
    try:
        port = server.server_port
        with pytest.raises(ConfigError, match=rf"port={port}: cannot be opened \(.*in use"):
            dashboard.main([str(tmp_path / "study"), f"port={port}"])
    finally:
        server.server_close()
    for port in (70000, -1, "all"):
        with pytest.raises(ConfigError, match=f"port={port}: expected a port"):
            dashboard.main([str(tmp_path / "study"), f"port={port}"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_termination_end_it(tmp_path, number):
    make_study(tmp_path / "study")
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_lightning", "dashboard", "study", "port=0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(
            r"faces: (http://127\.0\.0\.1:\d+)/dashboard/studies/1 \(Ctrl-C ends it\)\n", said
        )
        assert found, said + process.communicate()[1]
        with urllib.request.urlopen(f"{found[1]}/api/studies", timeout=120) as answer:
            assert json.load(answer)["study_summaries"][0]["study_name"] == "faces"
        process.send_signal(number)
        left = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, left[0].strip(), left[1]) == (0, "", "")
