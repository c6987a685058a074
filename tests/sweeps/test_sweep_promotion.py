"""Promotion: a trial that was pruned too early goes on from its checkpoint, and no epoch is run twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from optuna import TrialPruned
from optuna.trial import FrozenTrial

from fer_lightning.config.objective import Objective
from fer_lightning.errors import ConfigError
from fer_lightning.report.search_text import search_text
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.queue.kept_checkpoints import kept_numbers
from fer_lightning.sweeps.queue.promotion import Rungs, hopeful
from fer_lightning.sweeps.study.promoted import PROMOTED, own_steps, without_promoted
from foreign_program import Program
from frozen_trials import frozen_trial

HALVING = {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2}
STEPS = 6
# In the order in which they come: 5 is pruned at the first rung behind 9, and among the best half there later.
VALUES = (9.0, 5.0, 1.0, 2.0, 0.5, 0.6)
WORDS = (
    "hydra/sweeper/sampler=random",
    "hydra/sweeper/pruner=successive_halving",
    "hydra.sweeper.pruner.reduction_factor=2",
    "x=interval(0.0,9.0)",
    "hydra.sweeper.direction=max",
    "hydra.sweeper.n_trials=6",
    "hydra.sweeper.begin_with_default=false",
    f"hydra.sweeper.first=[{','.join(f'{{x:{value}}}' for value in VALUES)}]",
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 1.0\nseed: 0")
    return found


def resuming(config: DictConfig) -> float:
    """Goes on from its checkpoint, and writes down which steps it really runs."""
    folder, trial = Path(HydraConfig.get().runtime.output_dir), attach()
    assert trial is not None
    last = folder / "last.ckpt"
    first = int(last.read_text()) + 1 if last.exists() else 0
    for step in range(first, STEPS):
        with Path("ran.txt").open("a") as file:
            file.write(f"{config.x} {step}\n")
        last.write_text(str(step))
        trial.report(config.x + step, step)
        if trial.should_prune():
            raise TrialPruned
    return float(config.x + STEPS - 1)


def ran(program: Program) -> list[tuple[float, int]]:
    lines = (program.folder / "ran.txt").read_text().splitlines()
    return [(float(line.split()[0]), int(line.split()[1])) for line in lines]


def test_a_pruned_trial_goes_on_where_it_stopped(program: Program) -> None:
    trials = program.run(resuming, *WORDS, "hydra.sweeper.promote=true")
    assert [trial.params["x"] for trial in trials if PROMOTED not in trial.attrs] == list(VALUES)
    went_on = [trial for trial in trials if PROMOTED in trial.attrs]
    assert went_on
    for trial in went_on:
        source = trials[trial.attrs[PROMOTED]["trial"]]
        assert source.state == "PRUNED"
        assert trial.params == source.params
        assert dict(trial.intermediate).items() >= dict(source.intermediate).items()
        assert len(trial.intermediate) > len(source.intermediate)
        assert trial.run.folder != source.run.folder
    assert 5.0 in {trial.params["x"] for trial in went_on}
    # No step is run twice, and each counts once.
    steps = ran(program)
    assert len(steps) == len(set(steps)) == sum(own_steps(trial.frozen) for trial in trials)
    text = search_text(trials, Objective.of("objective", higher_is_better=True), {})
    assert f"{len(steps)} epochs" in text
    assert "promoted from pruned ones: " in text
    # Again: it is finished.
    assert len(program.run(resuming, *WORDS, "hydra.sweeper.promote=true")) == len(trials)
    assert ran(program) == steps


def test_without_it_nothing_goes_on(program: Program) -> None:
    trials = program.run(resuming, *WORDS)
    assert len(trials) == 6
    assert (5.0, 2) not in ran(program)


def test_who_is_promoted_follows_from_the_rungs() -> None:
    def pruned(number: int, *values: float, **attrs: Any) -> FrozenTrial:
        return frozen_trial(number, "PRUNED", values[-1], intermediate=dict(enumerate(values)), **attrs)

    rungs = Rungs(HALVING)
    assert [rungs.step(rung) for rung in range(4)] == [1, 2, 4, 8]
    trials = [
        frozen_trial(0, value=9.0, intermediate=dict(enumerate([9.0] * 6))),
        pruned(1, 5.0, 5.0),
        pruned(2, 9.0, 1.0),
        pruned(3, 0.0, 2.0),
    ]
    assert [trial.number for trial in hopeful(trials, rungs, None, maximize=True)] == [1]
    assert [trial.number for trial in hopeful(trials, rungs, None, maximize=False)] == [2, 3]
    # Of fewer than the factor at a rung none; of two rungs the higher one first.
    assert hopeful(trials[1:2], rungs, None, maximize=True) == []
    higher = [*trials, pruned(4, 8.0, 8.0, 8.0), pruned(5, 1.0, 7.0, 9.5)]
    assert hopeful(higher, rungs, None, maximize=True)[0].number == 5
    # One that went on stands for both.
    source = {PROMOTED: {"trial": 1, "steps": {"0": 5.0, "1": 5.0}}}
    again = frozen_trial(6, "RUNNING", intermediate={0: 5.0, 1: 5.0}, **source)
    assert 1 not in {trial.number for trial in hopeful([*trials, again], rungs, None, maximize=True)}
    assert [trial.number for trial in without_promoted([*trials, again])] == [0, 2, 3, 6]
    assert own_steps(again) == 0
    # An infeasible one never goes on.
    beyond = frozen_trial(1, "PRUNED", 5.0, intermediate={0: 5.0, 1: 5.0}, constraints={"a<1": 1.0})
    assert hopeful([trials[0], beyond, *trials[2:]], rungs, None, maximize=True) == []
    # What may go on later keeps its checkpoint: the best of each rung, as many as of the others.
    assert {trial.number for trial in hopeful(trials, rungs, 1, maximize=True)} == {1}
    assert {trial.number for trial in hopeful(trials, rungs, 2, maximize=True)} == {1, 3}
    assert kept_numbers(trials, 1, maximize=True) == {0}


def test_it_works_where_only_the_best_keep_their_checkpoints(program: Program) -> None:
    trials = program.run(
        resuming, *WORDS, "hydra.sweeper.promote=true", "hydra.sweeper.keep_checkpoints=best:1"
    )
    assert 5.0 in {trial.params["x"] for trial in trials if PROMOTED in trial.attrs}
    steps = ran(program)
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {},
            "hydra.sweeper.promote=true: expected hydra/sweeper/pruner=successive_halving, or promote=false",
        ),
        (
            {"pruner": {**HALVING, "min_resource": "auto"}},
            "a number of steps as hydra.sweeper.pruner.min_resource",
        ),
        ({"pruner": HALVING, "keep_checkpoints": "none"}, "promote=true with keep_checkpoints=none"),
        ({"pruner": HALVING, "plan": {}}, "promote=true with a plan"),
    ],
)
def test_what_is_in_its_way_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        SweepOptions(sampler={"_target_": "…"}, promote=True, **options)
