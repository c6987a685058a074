"""Trials that a search has taken over from an earlier study: told to its sampler, and no part of its own cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optuna.trial import FrozenTrial

# The attribute of such a trial: the earlier study's name and id, and the trial's number there.
TAKEN = "taken_from"


def is_taken(trial: FrozenTrial) -> bool:
    """Whether a trial was run by another study."""
    return TAKEN in trial.user_attrs


def own_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that the study runs itself."""
    return [trial for trial in trials if not is_taken(trial)]


def identity(taken_from: dict[str, Any]) -> tuple[str, str, int]:
    """What tells a taken trial from any other."""
    return str(taken_from["study"]), str(taken_from["id"]), int(taken_from["trial"])
