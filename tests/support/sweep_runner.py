"""Runs the toy program of `sweep_app.py`, here or in other processes, and reads what became of the study."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from fer_lightning.errors import RunsFailedError
from fer_lightning.sweeps.study.results import Trial, load_trials

APP = Path(__file__).with_name("sweep_app.py")
QUIET = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
SEARCH = ["optimizer.lr=interval(0.0,1.0)"]
PLAN = (
    "ablation={plan:one_factor,factors:{"
    "activation:{key:model.activation,levels:[selu,leaky_relu],baseline:relu},"
    "flavour:{key:flavour,levels:[rich],baseline:plain}}}"
)


def run_here(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *overrides: str, fails: str | None = None
) -> list[Trial]:
    """Run a sweep in this process, in `folder`/sweep, and return its trials.

    `fails` is what its error says where all runs of an arm, or of the search, fail.
    """
    import sweep_app

    GlobalHydra.instance().clear()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    arguments = ["sweep_app.py", "hydra.sweep.dir=sweep", *QUIET, *overrides]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, str(APP), *arguments[1:]])
    expected = nullcontext() if fails is None else pytest.raises(RunsFailedError, match=fails)
    try:
        with expected:
            sweep_app.main()
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
    return load_trials(folder / "sweep")


def start(folder: Path, *overrides: str, **environment: str) -> subprocess.Popen[str]:
    """Start a sweep in a process of its own, in `folder`/sweep; its output goes to `folder`/output.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(APP), "hydra.sweep.dir=sweep", *overrides]
    with (folder / "output.txt").open("a") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finish(folder: Path, *overrides: str, expected: int = 0, **environment: str) -> list[Trial]:
    """Run a sweep in a process of its own to its end, with the exit status `expected`, and return its trials."""
    status = start(folder, *overrides, **environment).wait(timeout=120)
    assert status == expected, (folder / "output.txt").read_text()[-3000:]
    return load_trials(folder / "sweep")


def output(folder: Path) -> str:
    """What the processes of `start` wrote."""
    return (folder / "output.txt").read_text()


def epochs(record: Trial) -> list[int]:
    """The epochs that a trial ran, over all attempts, in the order in which they ran."""
    assert record.run.folder is not None
    return [int(line.split()[0]) for line in (record.run.folder / "epochs.log").read_text().splitlines()]
