"""Promotion: a trial that successive halving has pruned goes on when it has become one of the best at its rung.

Asynchronous successive halving (Li et al. 2020, https://arxiv.org/abs/1810.05934) promotes whoever is in the best
``1 / reduction_factor`` of a rung before it draws a new setting. Optuna's pruner decides once, when a trial reaches the
rung; what came too early is made up for here.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.runs.removed_checkpoints import find_checkpoints
from fer_lightning.runs.run import RECORD_FILE
from fer_lightning.sweeps.jobs.error_file import ERROR_FILE
from fer_lightning.sweeps.plan.confirmation import SEARCH_SEED, search_trials, waiting_trial
from fer_lightning.sweeps.study.constraints import violated
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.promoted import PROMOTED, promotion_of, without_promoted
from fer_lightning.sweeps.study.taken import own_trials

# What belongs to the pruned run alone: its record, its error, its W&B run, Hydra's files.
_LEFT_BEHIND = (RECORD_FILE, ERROR_FILE, "wandb", ".hydra", "checkpoints_removed.json", "*.log")


class Rungs:
    """The rungs of a successive halving, as its options have them.

    Parameters
    ----------
    pruner
        ``{min_resource, reduction_factor, min_early_stopping_rate}``; a missing one is Optuna's own.
    """

    def __init__(self, pruner: Mapping[str, Any]) -> None:
        self.factor = int(pruner.get("reduction_factor", 4))
        self._first = int(pruner["min_resource"]) * self.factor ** int(
            pruner.get("min_early_stopping_rate", 0)
        )

    def step(self, rung: int) -> int:
        """The step from which a trial is at a rung."""
        return self._first * self.factor**rung

    def ranked(self, trials: Sequence[FrozenTrial], rung: int, *, maximize: bool) -> list[FrozenTrial]:
        """The trials that have come to a rung, the best there first."""
        values = {trial.number: self._value(trial, rung) for trial in trials}
        there = [trial for trial in trials if math.isfinite(values[trial.number])]
        sign = -1 if maximize else 1
        return sorted(there, key=lambda trial: (sign * values[trial.number], trial.number))

    def _value(self, trial: FrozenTrial, rung: int) -> float:
        steps = [step for step in trial.intermediate_values if step >= self.step(rung)]
        return trial.intermediate_values[min(steps)] if steps else math.nan

    def stopped_at(self, trial: FrozenTrial, rung: int) -> bool:
        """Whether a trial was pruned at a rung."""
        last = trial.last_step
        return (
            trial.state == TrialState.PRUNED
            and last is not None
            and self.step(rung) <= last < self.step(rung + 1)
        )

    def count(self, trials: Sequence[FrozenTrial]) -> int:
        """How many rungs the trials have come to."""
        last = max((trial.last_step or 0 for trial in trials), default=0)
        rung = 0
        while self.step(rung) <= last:
            rung += 1
        return rung


def hopeful(
    trials: Sequence[FrozenTrial], rungs: Rungs, count: int | None, *, maximize: bool
) -> list[FrozenTrial]:
    """The pruned trials among the best of their rungs, of the highest rung and the best there first.

    Parameters
    ----------
    trials
        All of the study.
    count
        How many of each rung; None for those that are promoted now, among the best one in `reduction_factor`.
    """
    current = own_trials(without_promoted(search_trials(trials)))
    found = []
    for rung in reversed(range(rungs.count(current))):
        ranked = rungs.ranked(current, rung, maximize=maximize)
        best = ranked if count is not None else ranked[: len(ranked) // rungs.factor]
        pruned = [trial for trial in best if rungs.stopped_at(trial, rung) and not violated(trial)]
        found += pruned[:count]
    return found


class Promotion:
    """Finds the pruned trial that goes on next, and makes a new one of it."""

    def __init__(self, study: optuna.Study, spec: StudySpec) -> None:
        self._study = study
        self._spec = spec

    def next(self, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """A trial that waits to go on with a pruned one; None where none is promoted. Needs the claim lock."""
        pruner = self._spec.options.pruner
        if not self._spec.options.promote or pruner is None:
            return None
        for trial in hopeful(trials, Rungs(pruner), None, maximize=self._spec.maximize):
            if self._has_checkpoint(trial, trials):
                self._study.add_trial(_continuation(trial))
                waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
                return next(found for found in waiting if promotion_of(found).get("trial") == trial.number)
        return None

    def _has_checkpoint(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
        """Whether a trial has left a checkpoint, in a folder of its own within the study's."""
        root = self._spec.sweep_dir.resolve()
        names = [other.user_attrs.get("directory") for other in trials if other.number != trial.number]
        folder = (root / trial.user_attrs["directory"]).resolve()
        own = folder != root and folder.is_relative_to(root)
        own = own and not any((root / name).resolve().is_relative_to(folder) for name in names if name)
        return own and bool(find_checkpoints(folder))


def _continuation(trial: FrozenTrial) -> FrozenTrial:
    attrs = {name: trial.user_attrs[name] for name in (SEARCH_SEED, "first") if name in trial.user_attrs}
    attrs["reason"] = f"promoted from trial {trial.number}"
    attrs[PROMOTED] = {
        "trial": trial.number,
        "directory": trial.user_attrs["directory"],
        "seconds": trial.user_attrs.get("seconds", 0.0) + promotion_of(trial).get("seconds", 0.0),
        "steps": {str(step): value for step, value in trial.intermediate_values.items()},
    }
    return waiting_trial(trial.params, trial.distributions, attrs)


def bring_along(source: Path, folder: Path) -> None:
    """Copy what a pruned run has left into the folder of the trial that goes on with it.

    Killed in between, it is done again, for the trial's attempt begins only afterwards.
    """
    ignored = shutil.ignore_patterns(*_LEFT_BEHIND)
    shutil.copytree(source, folder, symlinks=True, ignore=ignored, dirs_exist_ok=True)
