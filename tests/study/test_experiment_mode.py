"""An experiment that is a sweep needs no `-m`, whichever files Hydra reads the mode from."""

from __future__ import annotations

import json
import pickle
import shlex
import sys
from pathlib import Path

import pytest

from fer_lightning.cli import main
from fer_lightning.config.flags import read_command_line
from fer_lightning.runs import provenance
from fer_lightning.study import experiment
from fer_lightning.study.experiment import _with_mode
from fer_lightning.study.preflight import preflight

MODE = ["hydra.mode=MULTIRUN"]


FEW = ["ablation.plan=one_factor", *(f"~ablation.factors.{name}" for name in ("dropout", "activation"))]
ABLATION = ["+experiment=ablation", *FEW, "~ablation.factors.normalization"]


@pytest.mark.parametrize(
    ("arguments", "sweeps", "added"),
    [
        (ABLATION, True, MODE),
        (["+experiment=r0_cnn"], False, []),
        (["seed=1"], False, []),
        (["--multirun", *ABLATION], True, []),
        ([*ABLATION, "hydra.mode=RUN"], False, []),
        (["--multirun", "seed=1,2"], True, []),
    ],
)
def test_the_mode_of_the_experiment_is_passed_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny: list[str],
    arguments: list[str],
    sweeps: bool,
    added: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    line = read_command_line([*arguments, *tiny, "data=synthetic"])
    assert preflight(line) is sweeps
    assert _with_mode(line, sweeps=sweeps) == [*line.flags, *line.words, *added]


def test_an_experiment_of_ones_own_folder_is_a_sweep_too(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nhydra: {mode: MULTIRUN}\n")
    for given in ([f"hydra.searchpath=[file://{tmp_path}]"], ["--config-dir", str(tmp_path)]):
        assert preflight(read_command_line([*given, "+experiment=mine", *tiny]))


def test_a_recorded_command_is_the_one_that_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = [
        "+experiment=search",
        "hydra.sweeper.n_trials=1",
        "hydra.sweep.dir=study",
        "study.workers=1",
        "study.page=false",
        *(f"~search_space.{name}" for name in ("dropout", "activation", "normalization", "augmentation")),
        *tiny,
    ]
    assert main(typed) == 0
    (record,) = tmp_path.glob("study/*/run.json")
    assert shlex.split(json.loads(record.read_text())["command"])[-len(typed) :] == typed
    assert "hydra.mode" not in record.read_text()


def test_a_job_that_a_launcher_takes_to_another_process_records_what_was_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = pickle.loads(pickle.dumps(experiment._Job("python -m fer_lightning seed=3")))
    monkeypatch.setattr(sys, "argv", ["/x/_submit.py", "study/.submitit/%j"])
    monkeypatch.setattr(provenance, "typed", None)
    assert provenance.command_line() == "_submit.py study/.submitit/%j"
    monkeypatch.setattr(experiment, "run_job", lambda config: provenance.command_line())
    assert taken({}) == "python -m fer_lightning seed=3"
