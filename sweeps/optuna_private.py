"""What the project needs of Optuna beside its public interface; tried with Optuna 5.0.0."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

# Remembers the trials that have ended; Optuna makes one by itself, but then no subclass of ours.
CachedStorage = optuna.storages._CachedStorage


def storage_of(study: optuna.Study) -> BaseStorage:
    """A study's storage."""
    return study._storage


def study_id(study: Any) -> int:
    """A study's number within its storage, of a ``Study`` or of what ``get_all_studies`` returns."""
    return int(study._study_id)


def trial_id(trial: Trial | FrozenTrial) -> int:
    """A trial's number within its storage, by which storages take it; its public number counts within the study."""
    return trial._trial_id


def last_read(trial: Trial) -> FrozenTrial:
    """A trial as its object last read or wrote it; the public way reads it from the storage once more."""
    return trial._cached_frozen_trial


def fixed_params(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters with which a trial was enqueued."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def stale_trial_ids(study: optuna.Study) -> set[int] | None:
    """Running trials whose heartbeat is overdue by the database's clock; None for a storage without heartbeats."""
    stale = getattr(study._storage, "_get_stale_trial_ids", None)
    return None if stale is None else set(stale(study._study_id))


def only_trials(
    study: optuna.Study, chosen: Callable[[list[FrozenTrial]], list[FrozenTrial]]
) -> optuna.Study:
    """The same study as its sampler, its pruner and figures are to see it: without the other trials."""

    class Part(optuna.Study):
        def _get_trials(
            self,
            deepcopy: bool = True,
            states: Container[TrialState] | None = None,
            use_cache: bool = False,
        ) -> list[FrozenTrial]:
            return chosen(super()._get_trials(deepcopy, states, use_cache))

    return Part(study.study_name, study._storage, study.sampler, study.pruner)
