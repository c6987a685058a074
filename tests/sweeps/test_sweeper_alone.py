"""The example of another program: a search with pruning, and a plan with verdicts, which the commands read."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from fer_lightning.cli import main
from fer_lightning.sweeps.study.results import load_trials

EXAMPLE = Path(__file__).parents[2] / "examples/sweeper_alone"
QUIET = ["hydra/job_logging=none", "hydra/hydra_logging=none", "hydra.output_subdir=null", "epochs=3"]


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["program.py", "-m", *QUIET, *words])
    GlobalHydra.instance().clear()
    try:
        runpy.run_path(str(EXAMPLE / "program.py"), run_name="__main__")
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None


def test_it_is_short() -> None:
    assert len((EXAMPLE / "program.py").read_text().splitlines()) < 60


def test_a_search_with_pruning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    median = ["hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=1"]
    warm = ["hydra.sweeper.pruner.n_warmup_steps=0", "hydra.sweeper.pruner.n_min_trials=1"]
    run(monkeypatch, tmp_path, *median, *warm, "hydra.sweeper.n_trials=6", "hydra.sweep.dir=s")
    trials = load_trials(tmp_path / "s")
    assert {trial.state for trial in trials} == {"COMPLETE", "PRUNED"}
    assert all(len(trial.intermediate) < 3 for trial in trials if trial.state == "PRUNED")


def test_a_plan_with_verdicts_and_the_commands_that_read_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, tmp_path, "+plan=rule", "hydra.sweeper.seeds=[0,1,2]", "hydra.sweep.dir=s")
    assert "rule=sign" in capsys.readouterr().out
    values = {(trial.arm, trial.seed): trial.value for trial in load_trials(tmp_path / "s")}
    # Steps of one size go further in three epochs; a study that minimises calls that better.
    assert all(values["rule=sign", seed] < values["baseline", seed] for seed in range(3))
    assert main(["report", str(tmp_path / "s"), "output=again"]) == 0
    told = capsys.readouterr().out
    page = (tmp_path / "again/report.html").read_text()
    assert "python program.py -m" in page
    assert "<dt>program</dt><dd>program.py: main</dd>" in page
    assert "<dt>hydra-core</dt><dd>" in page
    assert not any(
        word in page for word in ("not recorded", "<dt>data</dt>", "<dt>processor</dt>", "<dd></dd>")
    )
    assert [line.split()[0] for line in told.splitlines() if " better " in line] == ["rule=sign"]
    assert main(["runs", str(tmp_path / "s"), "by=arm", "format=json"]) == 0
    assert '"loss"' in capsys.readouterr().out
    assert main(["runs", str(tmp_path / "s"), "sort=loss", "format=csv"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head == "run,state,arm,seed,decay,loss,rule,seconds"
    assert float(first.split(",")[5]) == min(values.values())
