"""The study's own run in W&B: what a server that takes it has of it, once, and what never leaves the machine."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import page_study
from fer_lightning.api.reported import report
from fer_lightning.runs.table import collect
from fer_lightning.sweeps.study.results import load_study
from fer_lightning.tracking.study_run import StudyRun
from fer_lightning.tracking.wandb_workspace import STUDY_TABLES
from wandb_server import WandbServer, fresh_client, wandb_server  # noqa: F401  (fixtures)

# ruff: noqa: F811

LOGGER = {
    "_target_": "fer_lightning.tracking.logger.WandbRun",
    "project": "faces",
    "mode": "auto",
    "tags": [],
}
PLACE = "/srv/of/ada"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upload") / "study"
    page_study.make_study(folder, 12, kind="ablation", data=page_study.FEW_FACES)
    set_config(folder, logger=LOGGER, note=f"see {PLACE}/notes.txt")
    load_study(folder).set_user_attr("id", "0a1b2c3d")
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    """In the folder in which commands are typed."""
    shutil.copytree(made, tmp_path / "study")
    load_study(tmp_path / "study").set_user_attr("directory", "study")
    return Path("study")


def set_config(folder: Path, **values: Any) -> None:
    for path in folder.glob("trial_*/config.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(config | values), encoding="utf-8")


def table(server: WandbServer, key: str, step: int = -1) -> tuple[list[str], list[list[Any]]]:
    """The columns and rows of a table that arrived, by the history that names it."""
    ((_, run),) = server.runs.items()
    named = [json.loads(line)[key] for _, line in sorted(run["history"].items())]
    found = json.loads(run["files"][named[step]["path"]])
    return found["columns"], found["data"]


def page(server: WandbServer) -> str:
    found = [each for each in server.artifacts.values() if each["artifactTypeName"] == "report"]
    return str(found[-1]["files"]["report.html"].decode())


def thumbnails(server: WandbServer) -> list[bytes]:
    found = [each for each in server.artifacts.values() if each["artifactCollectionName"].endswith("-faces")]
    files = found[-1]["files"] if found else {}
    return [content for name, content in files.items() if name.endswith(".png")]


def test_the_server_has_verdicts_faces_and_page_of_one_run(wandb_server, study):
    found = report(study).findings
    ((name, run),) = wandb_server.runs.items()
    assert (name, run["groupName"], run["jobType"]) == (f"{found.name}-0a1b2c3d-study", found.name, "study")
    assert run["ended"] == 0
    assert {*STUDY_TABLES} <= {key for line in run["history"].values() for key in json.loads(line)}
    columns, rows = table(wandb_server, "verdicts")
    assert found.report is not None
    by_arm = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    for arm in found.report.arms:
        row = by_arm[arm.arm]
        assert (row["seeds"], row["verdict"]) == (len(arm.seeds), arm.verdict)
        assert row["val/acc %"] == pytest.approx(100 * arm.mean)
        if arm.effect is not None:
            assert row["difference from baseline"] == pytest.approx(100 * arm.effect.mean)
            assert row["low (95 %)"] == pytest.approx(100 * arm.effect.low)
            assert row["p (Holm)"] == pytest.approx(arm.p_holm)
    columns, rows = table(wandb_server, "faces")
    predictions = [trial.run.predictions for trial in found.trials]
    assert len(rows) == len(thumbnails(wandb_server)) == len(predictions[0].labels)
    for row in rows:
        of = dict(zip(columns, row, strict=True))
        place = predictions[0].ids.tolist().index(of["id"])
        right = [each.correct[place] for each in predictions]
        assert of["true"] == predictions[0].class_names[predictions[0].labels[place]]
        assert of["runs right"] == pytest.approx(np.mean(right), abs=1e-3)
        arm = [value for value, trial in zip(right, found.trials, strict=True) if trial.arm == "baseline"]
        assert of["seeds right: baseline"] == pytest.approx(np.mean(arm), abs=1e-3)
        assert sum(of[f"p({each})"] for each in predictions[0].class_names) == pytest.approx(1, abs=0.03)
    scores = {face.id: face.score for face in found.report.doubts.faces}
    told = {row[columns.index("id")]: row[columns.index("doubt score")] for row in rows}
    assert {key: value for key, value in told.items() if value is not None} == pytest.approx(scores, abs=1e-3)
    with Image.open(io.BytesIO(thumbnails(wandb_server)[0])) as picture:
        assert picture.size == (48, 48)
    assert "Holm" in run["notes"]
    assert f"all {len(rows)} validation faces" in run["notes"]
    assert 'id="faces-gallery"' in page(wandb_server)


def test_a_second_report_goes_on_with_the_same_run_and_leaves_nothing(wandb_server, study):
    report(study)
    report(study)
    report(study, wandb=False)
    ((_, run),) = wandb_server.runs.items()
    assert [json.loads(line)["_step"] for _, line in sorted(run["history"].items())] == [0, 1]
    assert not (study / "report").exists()


def test_nothing_of_the_machine_is_sent(wandb_server, study, monkeypatch):
    for path in study.glob("trial_*/run.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        record |= {
            "command": f"python -m fer_lightning data.path={PLACE}/x.zip",
            "note": f"in {PLACE}/notes.txt",
        }
        path.write_text(json.dumps(record), encoding="utf-8")
    report(study)
    assert "notes.txt" in (study / "report.html").read_text()
    assert PLACE in (study / "report.html").read_text()
    assert "…/notes.txt" in page(wandb_server)
    ((_, run),) = wandb_server.runs.items()
    sent = [item for each in wandb_server.artifacts.values() for item in each["files"].items()]
    texts = [content for name, content in (*sent, *run["files"].items()) if not name.endswith(".png")]
    texts.append(json.dumps([run["history"], run["summary"], run["config"], run["notes"]]).encode())
    for word in (PLACE, str(Path.cwd()), str(Path.home()), "a processor", "python -m fer"):
        assert [text[:200] for text in texts if word.encode() in text] == [], word


@pytest.mark.parametrize("switch", ["wandb_faces", "gallery"])
def test_no_face_is_sent_where_the_study_says_so(wandb_server, study, switch):
    set_config(study, study={"workers": 1, switch: False})
    report(study)
    assert thumbnails(wandb_server) == []
    sent, here = page(wandb_server), (study / "report.html").read_text()
    # The page of this machine is as it was asked for.
    for sign in ('id="faces-gallery"', 'id="picture-', "Doubtful labels: the figure"):
        assert sign not in sent
        assert sign in here
    assert table(wandb_server, "verdicts")[1]


@pytest.mark.parametrize("off", ["logger", "mode", "variable", "output"])
def test_no_request_where_wandb_is_switched_off(wandb_server, study, tmp_path, monkeypatch, off):
    if off in ("logger", "mode"):
        set_config(study, logger={} if off == "logger" else {**LOGGER, "mode": "disabled"})
    if off == "variable":
        monkeypatch.setenv("WANDB_MODE", "disabled")
    report(study, output=tmp_path / "elsewhere" if off == "output" else None)
    assert wandb_server.asked == []
    assert not (study / "report").exists()


@pytest.mark.slow
def test_an_offline_copy_is_the_last_report_alone_and_can_be_sent(wandb_server, study, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    report(study)
    report(study)
    (log,) = study.glob("report/wandb/offline-run-*/run-*.wandb")
    assert [row["run"] for row in collect(study)] == [f"trial_{number:04d}" for number in range(12)]
    assert str(Path.cwd()).encode() not in log.read_bytes()
    assert wandb_server.asked == []
    monkeypatch.delenv("WANDB_MODE")
    wandb = str(Path(sys.executable).with_name("wandb"))
    done = subprocess.run([wandb, "sync", "--include-online", "study/report/wandb"], check=False, timeout=120)
    assert done.returncode == 0
    assert len(thumbnails(wandb_server)) == len(table(wandb_server, "faces")[1]) > 0
    assert 'id="faces-gallery"' in page(wandb_server)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"hang": True},
        {"hang": True, "where": "upsertBucket"},  # it answers, and does not let the run begin
        {"status": 403, "where": "artifact/"},
    ],
)
def test_a_server_that_fails_costs_one_line_and_a_few_seconds(
    wandb_server, study, monkeypatch, caplog, fault
):
    monkeypatch.setattr(StudyRun, "finish_seconds", 2.0)
    wandb_server.fault = {"where": "/", **fault}
    began = time.monotonic()
    with caplog.at_level("INFO"):
        found = report(study).findings
    assert time.monotonic() - began < 40
    assert found.paths["page"].is_file()
    said = [line for line in caplog.messages if "wandb sync --include-online study/*/wandb" in line]
    assert len(said) == 1, caplog.messages
    (log,) = study.glob("report/wandb/*run-*")
    assert log.name.endswith(f"{found.name}-0a1b2c3d-study")
