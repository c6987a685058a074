"""The confirmation of a search: its best settings and the configuration's own, run again over new seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.sweeps.optuna_private import only_trials
from fer_lightning.sweeps.plan.enqueue import latest_by_key
from fer_lightning.sweeps.plan.planned_trial import Stage, TrialKey
from fer_lightning.sweeps.space.override import override
from fer_lightning.sweeps.study.constraints import violated
from fer_lightning.sweeps.study.promoted import without_promoted

# The arm of the configuration's own setting.
DEFAULT_ARM = "default"
# The attribute of a search's trial that has the seed under which it ran.
SEARCH_SEED = "search_seed"
# The attribute of a confirming trial that has the number of the search's trial whose setting it repeats.
CONFIRMS = "confirms"


@dataclass(frozen=True)
class Confirmation:
    """What is confirmed, and over which seeds.

    Attributes
    ----------
    count
        How many of the best settings.
    seeds
        A list, or how many that the search did not use.
    seed_key
        The configuration key of the seed.
    search_seed
        That of the command, which it does not use either.
    default_overrides
        Those that a trial of the search has at the configuration's own setting; None where it is no point of the space.
    default_params, default_distributions
        Its parameters, as Optuna has them; empty where it is no point of the space.
    """

    count: int
    seeds: tuple[int, ...] | int
    seed_key: str = "seed"
    search_seed: int | None = None
    default_overrides: tuple[str, ...] | None = None
    default_params: Mapping[str, Any] = field(default_factory=dict)
    default_distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The most trials that it can come to."""
        return (self.count + 1) * (self.seeds if isinstance(self.seeds, int) else len(self.seeds))

    def seeds_for(self, trials: Iterable[FrozenTrial]) -> list[int]:
        """The seeds to run under: those that are given, or the smallest that no trial of the search had."""
        if not isinstance(self.seeds, int):
            return list(self.seeds)
        used = {self.search_seed, *(trial.user_attrs.get(SEARCH_SEED) for trial in trials)}
        return [seed for seed in range(self.seeds + len(used)) if seed not in used][: self.seeds]

    def best(self, trials: Iterable[FrozenTrial], *, maximize: bool) -> list[FrozenTrial]:
        """The search's best trials that differ in their settings, the configuration's own left out; the best first."""
        done = [trial for trial in trials if is_comparable(trial)]
        done.sort(key=lambda trial: (-trial.values[0] if maximize else trial.values[0], trial.number))
        found: dict[tuple[str, ...], FrozenTrial] = {}
        for trial in done:
            setting = tuple(trial.user_attrs.get("overrides", ()))
            if setting != self.default_overrides:
                found.setdefault(setting, trial)
        return list(found.values())[: self.count]

    def enqueue(self, study: optuna.Study, *, maximize: bool) -> None:
        """Enqueue what the study lacks, seed by seed. Needs the claim lock, and a search that has ended."""
        trials = study.get_trials(deepcopy=False)
        present = latest_by_key(trials)
        searched = search_trials(trials)
        best = self.best(searched, maximize=maximize)
        for seed in self.seeds_for(searched) if best else ():
            for source in (None, *best):
                if TrialKey(arm_of(source), seed, Stage.CONFIRM) not in present:
                    study.add_trial(self._trial(source, seed))

    def _trial(self, source: FrozenTrial | None, seed: int) -> FrozenTrial:
        words = [] if source is None else source.user_attrs["overrides"]
        attrs = {
            "arm": arm_of(source),
            "seed": seed,
            "stage": Stage.CONFIRM.value,
            "overrides": [*words, override(self.seed_key, seed)],
        }
        if source is not None:
            attrs[CONFIRMS] = source.number
            return waiting_trial(source.params, source.distributions, attrs)
        return waiting_trial(self.default_params, self.default_distributions, attrs)


def waiting_trial(
    params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution], attrs: Mapping[str, Any]
) -> FrozenTrial:
    """A trial to be run with given parameters, of which no sampler draws any."""
    return optuna.create_trial(
        state=TrialState.WAITING,
        params=dict(params),
        distributions=dict(distributions),
        user_attrs=dict(attrs),
        system_attrs={"fixed_params": dict(params)},  # as `enqueue_trial` has it: it takes no point of a grid
    )


def arm_of(source: FrozenTrial | None) -> str:
    """The arm that confirms a search's trial, by its number; without one, that of the configuration's own setting."""
    return DEFAULT_ARM if source is None else f"setting {source.number}"


def is_confirming(trial: FrozenTrial) -> bool:
    """Whether a trial confirms a setting, and is no part of the search."""
    return trial.user_attrs.get("stage") == Stage.CONFIRM


def search_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trials of the search itself."""
    return [trial for trial in trials if not is_confirming(trial)]


def search_part(study: optuna.Study) -> optuna.Study:
    """A study without the trials that confirm its search, and those that go on as others."""
    return only_trials(study, lambda trials: without_promoted(search_trials(trials)))


def is_comparable(trial: FrozenTrial) -> bool:
    """Whether a trial is complete with a finite value, and met every constraint."""
    return trial.state == TrialState.COMPLETE and math.isfinite(trial.values[0]) and not violated(trial)


def best_of(trials: Sequence[FrozenTrial], *, maximize: bool) -> FrozenTrial | None:
    """The search's best trial, the first of equal ones; None where none can be compared."""
    done = [trial for trial in search_trials(trials) if is_comparable(trial)]
    sign = 1 if maximize else -1
    return max(done, key=lambda trial: sign * trial.values[0], default=None)


def retry_failed(study: optuna.Study) -> None:
    """Enqueue the failed confirming trials once more. Needs the claim lock."""
    for key, trial in latest_by_key(study.get_trials(deepcopy=False)).items():
        if key.stage == Stage.CONFIRM and trial.state == TrialState.FAIL:
            kept = ("arm", "seed", "stage", "overrides", CONFIRMS)
            attrs = {name: trial.user_attrs[name] for name in kept if name in trial.user_attrs}
            study.add_trial(waiting_trial(trial.params, trial.distributions, attrs))
