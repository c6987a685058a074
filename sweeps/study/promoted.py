"""Pruned trials that go on as new ones: what the new one knows of the old one, and which of the two stands for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.optuna_private import last_read
from fer_lightning.sweeps.study.taken import is_taken

# The attribute of a promoted trial: the number, folder, time and reported steps of the pruned one that it goes on with.
PROMOTED = "promoted_from"


def promotion_of(trial: FrozenTrial) -> Mapping[str, Any]:
    """What a promoted trial goes on with; empty for any other."""
    found: Mapping[str, Any] = trial.user_attrs.get(PROMOTED, {})
    return found


def earlier_steps(trial: FrozenTrial) -> dict[int, float]:
    """The steps that a promoted trial has from the pruned one."""
    return {int(step): float(value) for step, value in promotion_of(trial).get("steps", {}).items()}


def own_steps(trial: FrozenTrial) -> int:
    """How many steps a trial has reported itself."""
    return len(trial.intermediate_values.keys() - earlier_steps(trial).keys())


def without_promoted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trials without those that go on as others, so that each setting is there once."""
    listed = list(trials)
    gone = {promotion_of(trial).get("trial") for trial in listed}
    return [trial for trial in listed if trial.number not in gone or is_taken(trial)]


def repeat_reports(trial: optuna.Trial) -> None:
    """Report a promoted trial's earlier steps, and let the pruner note at which rungs it has been."""
    for step, value in sorted(earlier_steps(last_read(trial)).items()):
        if step not in last_read(trial).intermediate_values:
            trial.report(value, step)
            trial.should_prune()


def check_promotion(pruner: Mapping[str, Any] | None, *, kept: int | None, has_plan: bool) -> None:
    """Check that trials can be promoted.

    Parameters
    ----------
    pruner
        Of the study.
    kept
        How many of the best trials keep their checkpoints; None for all.
    has_plan
        Whether the study is an ablation.

    Raises
    ------
    ConfigError
        Saying what is in the way.
    """
    where, pruner = "hydra.sweeper.promote=true", pruner or {}
    if not str(pruner.get("_target_")).endswith(".SuccessiveHalvingPruner"):
        raise ConfigError(f"{where}: expected hydra/sweeper/pruner=successive_halving, or promote=false")
    if not isinstance(pruner.get("min_resource"), int):
        raise ConfigError(f"{where}: expected a number of steps as hydra.sweeper.pruner.min_resource")
    if kept == 0 or has_plan:
        raise ConfigError(
            f"{where} with {'a plan' if has_plan else 'keep_checkpoints=none'}: expected promote=false"
        )
