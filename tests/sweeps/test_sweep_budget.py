"""What ends a search beside its number of trials: its minutes, its epochs, and no better trial for too long."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from omegaconf import DictConfig

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.queue.ending import reached_limit
from fer_lightning.sweeps.queue.recovery import SPENT
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.study.open import StudySpec
from foreign_program import Program
from frozen_trials import frozen_trial

SPEC = StudySpec(
    name="s",
    url="",
    sweep_dir=Path(),
    options=SweepOptions(sampler={"_target_": "…"}),
    fixed={},
    space=SearchSpace(()),
    plan=None,
    lookup=lambda key: None,
)
SEARCH = ("hydra/sweeper/sampler=random", "x=interval(0.0,4.0)")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 2.0\nseed: 0")
    return found


def three_steps(config: DictConfig) -> float:
    trial = attach()
    assert trial is not None
    for step in range(3):
        trial.report(config.x, step)
    return float(config.x)


def test_epochs_end_a_search_and_more_of_them_go_on_with_it(program: Program) -> None:
    assert len(program.run(three_steps, *SEARCH, "hydra.sweeper.budget.epochs=10")) == 4
    assert len(program.run(three_steps, *SEARCH, "hydra.sweeper.budget.epochs=10")) == 4
    assert len(program.run(three_steps, *SEARCH, "hydra.sweeper.budget.epochs=18")) == 6
    limited = ("hydra.sweeper.budget.epochs=100", "hydra.sweeper.n_trials=7")
    assert len(program.run(three_steps, *SEARCH, *limited)) == 7


def test_what_the_confirmation_takes_is_kept_back(program: Program) -> None:
    words = (
        *SEARCH,
        "hydra.sweeper.budget.epochs=30",
        "hydra.sweeper.confirm=1",
        "hydra.sweeper.confirm_seeds=3",
    )
    trials = program.run(three_steps, *words)
    confirming = [trial for trial in trials if trial.stage == "confirm"]
    assert len(confirming) == 6
    assert len(trials) == 10
    assert sum(len(trial.intermediate) for trial in trials) == 30
    assert len(program.run(three_steps, *words)) == 10


def test_epochs_of_a_program_that_reports_none_are_refused(program: Program) -> None:
    with pytest.raises(ConfigError, match=r"budget\.epochs=10: no trial reports a step"):
        program.run(lambda config: config.x, *SEARCH, "hydra.sweeper.budget.epochs=10")


def test_patience_counts_the_trials_after_the_best(program: Program) -> None:
    first = ",".join(f"{{x:{value}}}" for value in (3.0, 1.0, 3.5, 0.5, 0.6, 0.7))
    words = ("hydra/sweeper/sampler=random", "x=interval(0.0,3.5)", "hydra.sweeper.patience=3")
    trials = program.run(lambda config: config.x, *words, f"hydra.sweeper.first=[{first}]")
    assert [t.params["x"] for t in trials if t.state == "COMPLETE"] == [2.0, 3.0, 1.0, 3.5, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(("seconds", "begins"), [(119.0, True), (121.0, False)])
def test_minutes_are_those_of_all_trials_and_of_earlier_attempts(seconds: float, begins: bool) -> None:
    """A finished trial of a minute, and one that has run for the rest over two attempts."""
    options = SweepOptions(sampler={"_target_": "…"}, budget={"minutes": 2.0, "epochs": None})
    spec = dataclasses.replace(SPEC, options=options)
    running = frozen_trial(1, "RUNNING")
    running.system_attrs[SPENT] = seconds - 60.0
    trials = [frozen_trial(0, value=0.5, seconds=60.0), running]
    assert (reached_limit(spec, trials) is None) == begins


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "hydra.sweeper.budget.minutes=0",
            "hydra.sweeper.budget.minutes=0: expected a number above 0, or null",
        ),
        ("+hydra.sweeper.budget.epoch=3", "did you mean hydra.sweeper.budget.epochs"),
        ("hydra.sweeper.patience=0", "hydra.sweeper.patience=0: expected a whole number of at least 1"),
    ],
)
def test_a_mistake_is_named(program: Program, word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        program.run(three_steps, *SEARCH, word)


def test_without_any_end_a_search_is_refused(program: Program) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.n_trials=null"):
        program.run(three_steps, *SEARCH)
