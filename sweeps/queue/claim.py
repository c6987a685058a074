"""A claimed trial: its overrides, its folder, and the process that holds it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

from fer_lightning.sweeps.optuna_private import fixed_params, last_read, storage_of, trial_id
from fer_lightning.sweeps.plan.confirmation import SEARCH_SEED
from fer_lightning.sweeps.plan.enqueue import key_of_trial
from fer_lightning.sweeps.queue.heartbeat import record_beat
from fer_lightning.sweeps.queue.owner import OWNER, Owner
from fer_lightning.sweeps.queue.promotion import bring_along
from fer_lightning.sweeps.queue.recovery import ATTEMPTS
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.space.search_space import suggest
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.promoted import promotion_of


@dataclass(frozen=True)
class Claim:
    """A trial that this process holds and is about to run.

    `directory` is its folder in the sweep's, the same for every attempt.
    """

    trial_id: int
    number: int
    token: str
    overrides: list[str]
    directory: str
    resume: bool


class Claimer:
    """Makes trials this process's, each with its folder and its overrides."""

    def __init__(self, study: optuna.Study, spec: StudySpec) -> None:
        self._storage = storage_of(study)
        self._spec = spec

    def own(self, trial: optuna.Trial, trials: Sequence[FrozenTrial]) -> Claim:
        """Make a running trial this process's. Needs the claim lock.

        Parameters
        ----------
        trials
            Those of the study, whose folders are taken.
        """
        overrides = self._overrides(trial)
        attempts = int(last_read(trial).system_attrs.get(ATTEMPTS, 0))
        directory = trial.user_attrs.get("directory") or self._directory(trial.number, overrides, trials)
        owner = Owner.this_process()
        source = promotion_of(last_read(trial)).get("directory")
        resume = attempts > 0 or source is not None
        if attempts == 0 and source is not None:
            bring_along(self._spec.sweep_dir / source, self._spec.sweep_dir / directory)
        claim = Claim(trial_id(trial), trial.number, owner.token, overrides, directory, resume=resume)
        if attempts == 0:
            trial.set_user_attr("directory", directory)
            trial.set_user_attr("overrides", overrides)
            seed = self._search_seed(trial, overrides)
            if seed is not None:
                trial.set_user_attr(SEARCH_SEED, seed)
        self._storage.set_trial_system_attr(trial_id(trial), ATTEMPTS, attempts + 1)
        record_beat(self._storage, trial_id(trial))
        # Last, because a running trial without an owner counts as one whose claim was not finished.
        self._storage.set_trial_system_attr(trial_id(trial), OWNER, owner.as_attr())
        return claim

    def _search_seed(self, trial: optuna.Trial, overrides: list[str]) -> int | None:
        """The seed of a search's trial, which a confirmation must not use again."""
        if self._spec.plan is not None or key_of_trial(last_read(trial)) is not None:
            return None
        key = key_of(self._spec.options.seed_key)
        found = self._spec.lookup(key, overrides) if key in map(key_of, overrides) else self._spec.lookup(key)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def _directory(self, number: int, overrides: list[str], trials: Sequence[FrozenTrial]) -> str:
        """The folder of a new trial; its number is added where another trial has the folder already."""
        directory = self._spec.subdirectory(number, overrides)
        taken = {trial.user_attrs.get("directory") for trial in trials}
        return f"{directory}_{number}" if directory in taken else directory

    def _overrides(self, trial: optuna.Trial) -> list[str]:
        plan = self._spec.plan
        if plan is not None:
            for name in fixed_params(last_read(trial)):
                suggest(trial, name, plan.distribution(name))
        if key_of_trial(last_read(trial)) is not None:
            return list(trial.user_attrs["overrides"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            drawn = self._spec.space.suggest(trial, self._spec.lookup)
            return drawn if self._spec.custom is None else [*drawn, *self._spec.custom.suggest(trial)]
