"""Runs that go to a W&B server: what arrives, once each, also after an interruption or trouble of the server."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_lightning.commands.workspace import main as workspace
from fer_lightning.config.compose import compose_config
from fer_lightning.runs.run import Run
from fer_lightning.tracking import start
from fer_lightning.tracking.logger import WandbRun
from fer_lightning.tracking.mode import choose_mode
from fer_lightning.training.train import train
from tiny_words import TINY
from wandb_server import WandbServer, fresh_client, wandb_server  # noqa: F401  (fixtures)

# ruff: noqa: F811

WORDS = [word for word in TINY if word != "logger=csv"]
ROOT = Path(__file__).parents[2]


def row(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "val/acc": epoch / 10, "train/acc": 0.5}


def log(run: WandbRun, epochs: range) -> None:
    for epoch in epochs:
        run.log_metrics(row(epoch))


def arrived(server: WandbServer, run_id: str) -> list[float]:
    """The epochs whose metrics a server has, in the order of their lines, whose steps rise."""
    steps = [row["_step"] for row in server.history(run_id)]
    assert steps == sorted(set(steps))
    return server.epochs(run_id)


def pictures(server: WandbServer, run_id: str) -> set[float]:
    """The epochs under which pictures lie."""
    return {row["epoch"] for row in server.history(run_id) if any("/matrix" in key for key in row)}


def sync(command: str) -> None:
    """Type a command that the program has said."""
    name, *words = shlex.split(command)
    assert name == "wandb"
    found = [str(path) for word in words for path in (sorted(Path().glob(word)) or [word])]
    done = subprocess.run([str(Path(sys.executable).with_name(name)), *found], check=False, timeout=120)
    assert done.returncode == 0


def command_line(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fer_lightning", *WORDS, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=(cwd / "output.log").open("ab"),
        stderr=subprocess.STDOUT,
    )


def test_a_run_arrives_whole_and_tells_nothing_of_the_machine(wandb_server, tmp_path, caplog):
    with caplog.at_level("INFO"):
        train(
            compose_config([*WORDS, "trainer.max_epochs=3", "logger=wandb", "note='at home'"]),
            tmp_path / "run",
        )
    record = Run(tmp_path / "run").record
    ((name, found),) = wandb_server.runs.items()
    assert record["wandb"]["id"] == name
    assert record["wandb"]["address"] == f"{wandb_server.address}/team/fer_lightning/runs/{name}"
    assert f"Weights & Biases: {record['wandb']['address']}" in caplog.text
    assert arrived(wandb_server, name) == [0, 1, 2]
    rows = wandb_server.history(name)
    assert len(rows) == 3  # none for pictures alone
    best = np.maximum.accumulate([row["val/acc"] for row in rows])
    assert pictures(wandb_server, name) == {0.0, *(np.flatnonzero(np.diff(best)) + 1.0)}
    assert record["best"]["epoch"] in pictures(wandb_server, name)
    assert found["ended"] == 0
    assert not found.get("host")
    assert found["program"] == "fer_lightning"
    for word in (tmp_path, Path.home(), sys.prefix, Path(sys.argv[0]).resolve()):
        assert str(word).encode() not in wandb_server.sent
    summary = json.loads(found["summary"])
    assert {key for key in summary if key.startswith("best/")} == {
        "best/epoch",
        "best/val/acc",
        "best/val/loss",
    }
    metrics = json.loads(found["config"])["_wandb"]["value"]["m"]
    assert any("epoch" in json.dumps(metric) for metric in metrics)


@pytest.mark.parametrize("name", ["relu vs selu: 1/2", "\u0416" * 300, "\u9854 \\ #?% ", "x" * 300])
def test_names_that_wandb_refuses_are_made_safe(wandb_server, tmp_path, name):
    run = WandbRun(
        tmp_path,
        group=name,
        run_id=name or "a",
        run_name=name,
        job_type=name,
        tags=[name, name[:64]],
        project=name,
    )
    run.open({}, lambda epoch: False)
    log(run, range(2))
    run.close()
    ((run_id, found),) = wandb_server.runs.items()
    assert arrived(wandb_server, run_id) == [0, 1]
    assert 0 < len(found["groupName"]) <= 128
    assert found["groupName"][:4] == name[:4].replace("\\", "_")


@pytest.mark.parametrize(
    ("first", "second"),
    [("online", "online"), ("offline", "offline"), ("offline", "online"), ("online", "offline")],
)
def test_a_continued_run_is_one_run_with_each_epoch_once(wandb_server, tmp_path, first, second):
    run = WandbRun(tmp_path, mode=first, run_id="study-7")
    about = run.open({}, lambda epoch: False)
    log(run, range(3))
    run.conclude("interrupted", {})
    # The last checkpoint is older than the last row, which is logged again.
    if first == "offline":  # an attempt that was killed at once
        (tmp_path / "wandb/offline-run-0-study-7").mkdir()
        (tmp_path / "wandb/offline-run-0-study-7/run-study-7.wandb").write_bytes(b"")
    run = WandbRun(Path("."), mode=second, run_id="study-7", earlier=about)
    run.open({epoch: row(epoch) for epoch in range(2)}, lambda epoch: epoch == 4)
    log(run, range(2, 5))
    run.log_media({"confusion/matrix": np.zeros((4, 4))}, epoch=1)
    run.conclude("complete", {})
    if second == "offline":
        sync("wandb sync --include-online wandb")
    assert arrived(wandb_server, "study-7") == [0, 1, 2, 3, 4]
    assert pictures(wandb_server, "study-7") == {1}
    assert json.loads(wandb_server.runs["study-7"]["summary"])["epoch"] == 4
    sync("wandb sync --include-online wandb")
    assert arrived(wandb_server, "study-7") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("state", "ended"), [("complete", 0), ("pruned", 0), ("failed", 1), ("interrupted", 1)]
)
def test_how_a_run_ended_is_seen(wandb_server, tmp_path, state, ended):
    run = WandbRun(tmp_path, run_id="t", tags=["mine"])
    run.open({}, lambda epoch: False)
    log(run, range(1))
    run.log_metrics({"epoch": 1, "val/acc": 0.5})
    run.conclude(state, {"epochs": 1}, "its reason")
    found = wandb_server.runs["t"]
    assert found["ended"] == ended
    assert set(found["tags"]) == {"mine"} | ({state} - {"complete"})
    assert json.loads(found["summary"])["reason"] == "its reason"
    # An epoch that was cut off is trained again when the run goes on.
    assert arrived(wandb_server, "t") == ([0] if state in ("interrupted", "failed") else [0, 1])


KILLED = """
import os, signal, sys, time
from fer_lightning.tracking.logger import WandbRun
run = WandbRun(sys.argv[1], mode=sys.argv[2], run_id="killed")
run.open({}, lambda epoch: False)
for epoch in range(5):
    run.log_metrics({"epoch": epoch, "val/acc": epoch / 10, "train/acc": 0.5})
    time.sleep(float(sys.argv[3]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "pause"), [("online", "0"), ("online", "0.5"), ("offline", "0.3")])
def test_a_killed_run_that_is_continued_lacks_no_epoch(wandb_server, tmp_path, mode, pause):
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), mode, pause],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=300,
    )
    assert died.returncode == -signal.SIGKILL
    run = WandbRun(tmp_path, mode=mode, run_id="killed", earlier={"id": "killed"})
    run.open({epoch: row(epoch) for epoch in range(4)}, lambda epoch: False)
    log(run, range(4, 7))
    run.conclude("complete", {})
    if mode == "offline":
        sync("wandb sync --include-online wandb")
    assert arrived(wandb_server, "killed") == [*range(7)]


@pytest.mark.parametrize(
    ("fault", "reason", "for_others"),
    [
        ({"status": 500}, "the server answers with status 500", True),
        ({"status": 429}, "the server answers with status 429", True),
        ({"hang": True}, "the server does not answer", True),
        ({"status": 404, "where": "file_stream"}, "the server answers with status 404", False),
        ({"status": 403, "where": "storage"}, "the server answers with status 403", False),
    ],
)
def test_trouble_at_the_end_is_said_and_nothing_is_lost(
    wandb_server, tmp_path, monkeypatch, caplog, fault, reason, for_others
):
    monkeypatch.setattr(start, "FINISH_SECONDS", 3.0)
    folder = tmp_path / "a study" / "trial_0000"
    run = WandbRun(folder, run_id="t", study_folder=folder.parent, group="study")
    run.open({}, lambda epoch: epoch == 3)
    wandb_server.fault = fault
    log(run, range(4))
    run.log_media({"confusion/matrix": np.zeros((4, 4))}, epoch=3)
    began = time.monotonic()
    with caplog.at_level("INFO"):
        run.conclude("complete", {})
        assert time.monotonic() - began < 6
        command = "wandb sync --include-online 'a study'/*/wandb"
        assert f"Weights & Biases: {reason}; all is kept, to send it: {command}" in caplog.text
        assert run.about["unsent"] == reason
        assert choose_mode("auto", "it", folder.parent) == ("offline" if for_others else "online")
    wandb_server.fault = {}
    sync(command)
    # Where a part had arrived, wandb sync appends all of it again, under the same steps and with the same values.
    steps = {row["_step"]: row for row in wandb_server.history("t")}
    assert [steps[step]["epoch"] for step in sorted(steps)] == [0, 1, 2, 3]
    assert pictures(wandb_server, "t") == {3}
    assert any(name.endswith(".png") for name in wandb_server.runs["t"]["files"])


def test_the_workspace_is_made_once_and_updated(wandb_server, capsys):
    assert workspace(["project=faces"]) == workspace(["project=faces"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert list(wandb_server.views) == ["view 0"]


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_was_stopped_goes_on_as_the_same_run(wandb_server, tmp_path, sign):
    words = ["trainer.max_epochs=14", "scheduler=constant", "hydra.run.dir=run", "logger=wandb"]
    running = command_line(*words, cwd=tmp_path)
    for _ in range(600):
        if len(Run(tmp_path / "run").metrics) > 3 or running.poll() is not None:
            break
        time.sleep(0.1)
    running.send_signal(sign)
    assert running.wait(120) != 0
    assert command_line(*words, "resume=true", cwd=tmp_path).wait(300) == 0
    ((name, found),) = wandb_server.runs.items()
    record: dict[str, Any] = Run(tmp_path / "run").record
    assert record["wandb"]["id"] == name
    assert arrived(wandb_server, name) == [*range(14)]
    rows = wandb_server.history(name)
    assert len(rows) == 14  # none for pictures alone
    best = np.maximum.accumulate([row["val/acc"] for row in rows])
    drawn, expected = pictures(wandb_server, name), {0.0, *(np.flatnonzero(np.diff(best)) + 1.0)}
    # What a killed process had not sent of its pictures is not drawn again; the rows are, from metrics.csv.
    assert drawn <= expected if sign == signal.SIGKILL else drawn == expected
    assert record["best"]["epoch"] in pictures(wandb_server, name)
    assert found["ended"] == 0


@pytest.mark.slow
def test_studies_of_one_name_are_runs_of_their_own(wandb_server, tmp_path):
    words = [
        *["+experiment=ablation", "ablation.plan=one_factor", "~ablation.factors.dropout", "logger=wandb"],
        *["~ablation.factors.normalization", "~ablation.factors.augmentation", "trainer.max_epochs=2"],
        *["ablation.factors.activation.levels=[selu]", "ablation.factors.activation.without=selu"],
        *["seeds=[0,1]", "study.page=false"],
        *["hydra.sweeper.study_name='relu vs selu: 1/2'", "hydra.sweep.dir=study"],
    ]
    for place, workers in (("here", 2), ("there", 1)):
        (tmp_path / place).mkdir()
        assert command_line(*words, f"study.workers={workers}", cwd=tmp_path / place).wait(400) == 0
        said = (tmp_path / place / "output.log").read_text()
        assert said.count(f"{wandb_server.address}/team/fer_lightning/groups/relu%20vs%20selu_%201_2") == 1
    assert Counter(run["jobType"] for run in wandb_server.runs.values()) == {
        "baseline": 4,
        "activation=selu": 4,
        "study": 2,
    }
    for name, run in wandb_server.runs.items():
        assert arrived(wandb_server, name) == ([] if run["jobType"] == "study" else [0, 1])


@pytest.mark.slow
def test_a_server_that_fails_costs_a_study_a_few_seconds_once(wandb_server, tmp_path):
    words = [
        *["+experiment=search", "hydra.sweeper.n_trials=4", "logger=wandb", "trainer.max_epochs=3"],
        *["study.page=false", "hydra.sweep.dir=study", "hydra.sweeper.study_name=s"],
        *(f"~search_space.{name}" for name in ("activation", "normalization", "augmentation")),
    ]
    running = command_line(*words, cwd=tmp_path)
    while not wandb_server.runs and running.poll() is None:
        time.sleep(0.05)
    wandb_server.fault = {"status": 500}
    assert running.wait(400) == 0
    said = (tmp_path / "output.log").read_text()
    command = "wandb sync --include-online study/*/wandb"
    assert said.count("Weights & Biases: the server answers with status 500; all is kept") == 1
    assert said.count(f"runs are kept offline; to send them later: {command}") == 1
    wandb_server.fault = {}
    os.chdir(tmp_path)
    sync(command)
    assert Counter(run["jobType"] for run in wandb_server.runs.values()) == {"search": 4, "study": 1}
    for name, found in wandb_server.runs.items():
        assert arrived(wandb_server, name) == [*range(len(arrived(wandb_server, name)))]
        assert found["ended"] == 0
