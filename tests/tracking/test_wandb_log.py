from __future__ import annotations

import json
import math
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.errors import DataError
from fer_lightning.tracking.log_reader import frames, read_wandb_log
from fer_lightning.tracking.logger import WandbRun

RECORD = {
    "best": {"val/acc": 0.75, "epoch": 2},
    "seconds": 3.5,
    "epochs": 3,
    "parameters": {"total": 1234},
}
CONFIG = {
    "seed": 3,
    "normalization": {"_target_": "fer_lightning.data.normalization.Unit"},
    "augmentation": {"flip": True},
    "model": {"_target_": "fer_lightning.models.Small", "activation": "selu", "dropout_scale": 1.5},
    "optimizer": {"lr": 0.01},
    "note": "text",
}


def log_of(folder: Path) -> Path:
    (found,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    return found


def ended(path: Path) -> Path:
    """The log as soon as it is whole: W&B's service writes a moment after the run has ended."""
    for _ in range(100):
        if read_wandb_log(path).exit_code is not None:
            return path
        time.sleep(0.1)
    raise AssertionError(f"{path}: the run's end was not written")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as a trial leaves it, long enough that its log has several blocks."""
    folder = tmp_path_factory.mktemp("logged")
    run = WandbRun(
        folder,
        mode="offline",
        group="study-1",
        job_type="activation=selu",
        tags=["mine"],
        study_tags=["ablation"],
        run_id="study-1-0007",
        run_name="trial 7",
        notes="a note",
        run_config=CONFIG,
        data={"name": "synthetic", "synthetic": True, "fingerprint": "f00"},
        study={"arm": "activation=selu", "trial": 7},
    )
    for epoch in range(300):
        values = {f"val/metric_{number}": epoch / (number + 1) for number in range(20)}
        run.log_metrics({"epoch": epoch, "val/acc": math.nan if epoch == 1 else epoch / 300, **values})
        if epoch == 2:
            run.log_media({"confusion/matrix": np.zeros((8, 8))}, {"confusion/counts": (["a"], [[1]])})
        run.log_metrics({"epoch": epoch, "train/loss": 1.0})
    run.conclude("pruned", RECORD, "after epoch 3")
    return ended(log_of(folder))


def inspect(path: Path, *options: str) -> str:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def same(mine: object, theirs: object) -> bool:
    if isinstance(mine, float) and not math.isfinite(mine):
        return theirs == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(mine)]
    return mine == theirs


def test_a_log_reads_as_wandb_itself_reads_it(logged):
    mine = read_wandb_log(logged)
    records = [json.loads(line) for line in inspect(logged).splitlines()]
    history = [record["history"]["item"] for record in records if record["type"] == "history"]
    assert len(mine.history) == len(history) == 300
    for row, theirs in zip(mine.history, history, strict=True):
        assert row.keys() == theirs.keys()
        assert all(same(row[key], theirs[key]) for key in row), row
    about = json.loads(inspect(logged, "--summary"))
    assert (mine.run_id, mine.name, mine.project, mine.notes) == (
        about["run_id"],
        about["name"],
        about["project"],
        about["notes"],
    )
    assert sorted(mine.tags) == sorted(about["tags"])
    assert mine.config == about["config"]
    assert mine.exit_code == about["exit_code"] == 0
    # Its summary nests what a picture or a table is.
    shown, theirs = (
        {key: value for key, value in each.items() if not key.startswith(("_", "confusion/"))}
        for each in (mine.summary, about["summary"])
    )
    assert shown.keys() == theirs.keys()
    assert all(same(shown[key], theirs[key]) for key in shown)


def test_a_run_says_what_it_was_and_what_came_of_it(logged):
    log = read_wandb_log(logged)
    assert (log.group, log.job_type, log.name) == ("study-1", "activation=selu", "trial 7")
    assert set(log.tags) == {"mine", "ablation", "synthetic", "pruned"}
    settings = log.config.pop("settings")
    assert settings == CONFIG
    assert log.config == {
        "dropout": 1.5,
        "activation": "selu",
        "normalization": "unit",
        "augmentation": "custom",
        "seed": 3,
        "model": "small",
        "lr": 0.01,
        "arm": "activation=selu",
        "trial": 7,
        "data": "synthetic",
        "synthetic": True,
        "fingerprint": "f00",
    }
    expected = {
        "state": "pruned",
        "reason": "after epoch 3",
        "best/val/acc": 0.75,
        "best/epoch": 2,
        "seconds": 3.5,
        "epochs": 3,
        "parameters": 1234,
    }
    assert expected.items() <= log.summary.items()
    assert log.history[2]["epoch"] == 2
    assert log.history[2]["confusion/matrix._type"] == "image-file"
    assert log.history[2]["confusion/counts._type"] == "table-file"
    assert math.isnan(log.history[1]["val/acc"])


def test_a_log_that_was_cut_off_reads_up_to_the_cut(logged, tmp_path):
    content = logged.read_bytes()
    whole = list(frames(content))
    assert len(content) > 3 * 32768
    for cut in (len(content) - 1, len(content) // 2, 32768 + 3, 40, 7):
        part = list(frames(content[:cut]))
        assert part == whole[: len(part)]
        assert len(part) < len(whole)
    half = tmp_path / "run-x.wandb"
    half.write_bytes(content[: len(content) // 2])
    log = read_wandb_log(half)
    assert 100 < len(log.history) < 200
    assert log.history == [row for row in log.history if row["epoch"] < 200]
    assert log.exit_code is None
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    assert list(frames(bytes(damaged))) == whole[: len(list(frames(bytes(damaged))))]


def test_records_are_put_together_over_blocks():
    data = bytes(range(256)) * 300
    blocks, position, left = [], 7, data
    kind = 2
    while left:
        size = min(len(left), 32768 - position % 32768 - 7)
        part, left = left[:size], left[size:]
        kind = 4 if not left else kind
        blocks.append(struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), size, kind) + part)
        position += size + 7
        kind = 3
    assert list(frames(struct.pack("<4sHB", b":W&B", 0xBEE1, 0) + b"".join(blocks))) == [data]


def test_what_is_no_log_is_said(tmp_path):
    (tmp_path / "run-x.wandb").write_bytes(b"hello, this is no log")
    with pytest.raises(DataError, match=r"run-x\.wandb: cannot be read \(no log of Weights & Biases\)"):
        read_wandb_log(tmp_path / "run-x.wandb")
    with pytest.raises(DataError, match="cannot be read"):
        read_wandb_log(tmp_path / "run-y.wandb")


def test_runs_that_are_open_at_once_do_not_mix(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "my own"))
    runs = {name: WandbRun(tmp_path / name, mode="offline", run_id=f"run-{name}") for name in "abc"}
    for epoch in range(3):
        for number, (name, run) in enumerate(runs.items()):
            run.log_metrics({"epoch": epoch, "train/acc": number + epoch / 10})
            run.log_media(tables={"counts": (["name"], [[name]])})
            assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "my own")
    for name in "bca":
        runs[name].conclude("complete", {"best": {"val/acc": 0.5}, "seconds": 1.0})
    assert "WANDB_DATA_DIR" not in os.environ
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "my own")
    for number, name in enumerate("abc"):
        log = read_wandb_log(ended(log_of(tmp_path / name)))
        assert (log.run_id, log.summary["state"]) == (f"run-{name}", "complete")
        assert [row["train/acc"] for row in log.history if "train/acc" in row] == [
            number + epoch / 10 for epoch in range(3)
        ]


KILLED = """
import os, signal, sys
from fer_lightning.tracking.logger import WandbRun
run = WandbRun(sys.argv[1], mode="offline", run_id="killed")
for epoch in range(5):
    run.log_metrics({"epoch": epoch, "val/acc": epoch / 10, "train/acc": 0.5})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_keeps_its_history(tmp_path):
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "WANDB_MODE": "offline"},
        check=False,
        timeout=300,
    )
    assert died.returncode == -signal.SIGKILL
    path = log_of(tmp_path)
    for _ in range(100):
        if len(read_wandb_log(path).history) == 5:
            break
        time.sleep(0.1)
    log = read_wandb_log(path)
    assert [row["val/acc"] for row in log.history] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert "state" not in log.summary
