"""Ablation plans: from factors and their levels to arms, and from arms and seeds to trials."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from fer_lightning.config.expectation import shown_value
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.plan.planned_trial import PREFIX, Arm, PlannedTrial, Stage, TrialKey
from fer_lightning.sweeps.plan.tuning import Tuning
from fer_lightning.sweeps.space.override import element, key_of
from fer_lightning.sweeps.space.search_space import Parameter

KINDS = ("one_factor", "leave_one_out", "pairwise", "full_factorial")
BASELINE = "baseline"
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Factor:
    """Something that is varied; `levels` maps each level's label to its overrides, the baseline first.

    `without` is the level that takes an improvement away, for the leave-one-out plan.
    """

    name: str
    levels: Mapping[Any, tuple[str, ...]]
    without: Any = None

    @property
    def baseline(self) -> Any:
        """The level of the baseline arm."""
        return next(iter(self.levels))

    @property
    def variants(self) -> list[Any]:
        """Every level but the baseline's."""
        return list(self.levels)[1:]


@dataclass(frozen=True)
class Plan:
    """The arms, the baseline first, and the seeds that every arm runs under, set by the key `seed_key`.

    With `folds` every arm and seed runs once on each fold of a cross-validation, set by the key `fold_key`.
    """

    kind: str
    factors: tuple[Factor, ...]
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    tuning: Tuning | None = None
    seed_key: str = "seed"
    folds: int | None = None
    fold_key: str = "data.fold"

    @property
    def plain_trials(self) -> list[PlannedTrial]:
        """All trials, seed by seed, so that a study stopped early compares all arms over fewer seeds."""
        return [
            PlannedTrial(arm, seed, seed_key=self.seed_key, fold=fold, fold_key=self.fold_key)
            for seed, fold in self._repeats
            for arm in self.arms
        ]

    @property
    def _repeats(self) -> list[tuple[int, int | None]]:
        """Seed and fold of each repeat of an arm; without folds the fold is None."""
        folds = [None] if self.folds is None else list(range(self.folds))
        return [(seed, fold) for seed in self.seeds for fold in folds]

    @property
    def tuning_trials(self) -> list[PlannedTrial]:
        """The trials that look for each arm's settings, point by point, on the first fold; of equal ones the first."""
        if self.tuning is None:
            return []
        distinct: dict[tuple[str, str], PlannedTrial] = {}
        for point in range(self.tuning.n_trials):
            for arm in self.arms:
                if self.tunable(arm):
                    planned = self.tried(arm, point, Stage.TUNING, self.tuning.seed)
                    distinct.setdefault((arm.name, repr(planned.settings)), planned)
        return list(distinct.values())

    def tuned_trials(self, arm: Arm, point: int) -> list[PlannedTrial]:
        """The trials that compare an arm at a point's settings; none for its own, which it has run at already."""
        if point == 0:
            return []
        return [self.tried(arm, point, Stage.TUNED, seed, fold) for seed, fold in self._repeats]

    def tried(self, arm: Arm, point: int, stage: Stage, seed: int, fold: int | None = None) -> PlannedTrial:
        """An arm under a seed with the settings of a point, 0 being its own; on the first fold if none is given."""
        assert self.tuning is not None
        if fold is None and self.folds is not None:
            fold = 0
        tunable = self.tunable(arm)
        values = self.tuning.points[point - 1] if point else {}
        own = self.tuning.own.get(arm.name, {})
        return PlannedTrial(
            arm,
            seed,
            stage,
            point,
            settings={p.name: values[p.name] if point else own.get(p.name) for p in tunable},
            drawn={p.name: values[p.name] for p in tunable if point},
            changes=tuple(p.override(values[p.name]) for p in tunable if point),
            seed_key=self.seed_key,
            fold=fold,
            fold_key=self.fold_key,
        )

    def tunable(self, arm: Arm) -> tuple[Parameter, ...]:
        """The parameters that are tuned in an arm: all but those whose key is what makes the arm."""
        if self.tuning is None:
            return ()
        moved = [factor for factor in self.factors if arm.levels[factor.name] != factor.baseline]
        made_of = {key_of(text) for factor in moved for text in factor.levels[arm.levels[factor.name]]}
        return tuple(parameter for parameter in self.tuning.parameters if parameter.key not in made_of)

    @property
    def size(self) -> int:
        """The number of trials, if every tuned arm finds other settings than its own."""
        return len(self.trial_keys)

    @property
    def trial_keys(self) -> set[TrialKey]:
        """Every trial that may belong to the plan, whatever the tuning chooses."""
        keys = {planned.key for planned in (*self.plain_trials, *self.tuning_trials)}
        if self.tuning is not None:
            keys |= {
                TrialKey(arm.name, seed, Stage.TUNED, fold=fold)
                for arm in self.arms
                if self.tunable(arm)
                for seed, fold in self._repeats
            }
        return keys

    @property
    def keys(self) -> set[str]:
        """The configuration keys that some level sets."""
        return {key_of(text) for f in self.factors for texts in f.levels.values() for text in texts}

    def distribution(self, name: str) -> BaseDistribution:
        """The distribution of a trial's parameter; the seed's is wide, so that seeds can be added later."""
        if name in ("seed", "fold"):
            return IntDistribution(0, _MAX_SEED)
        if name.startswith(PREFIX) and self.tuning is not None:
            return self.tuning.parameter(name.removeprefix(PREFIX)).distribution
        factor = next(factor for factor in self.factors if factor.name == name)
        return CategoricalDistribution(tuple(factor.levels))

    def as_config(self) -> dict[str, Any]:
        """A plain description, by which two plans are compared; seeds and tuning may be added later."""
        factors = {f.name: {str(k): list(v) for k, v in f.levels.items()} for f in self.factors}
        folds = {} if self.folds is None else {"folds": self.folds}
        return {"plan": self.kind, "factors": factors, "arms": [arm.name for arm in self.arms], **folds}


def make_arms(kind: str, factors: tuple[Factor, ...]) -> tuple[Arm, ...]:
    """The arms of a plan, the baseline first.

    one_factor moves one factor at a time off its baseline level, pairwise also every two of them together,
    full_factorial all combinations; leave_one_out takes one improvement away at a time.

    Raises
    ------
    ConfigError
        If it is not clear which level of a factor is its `without` level.
    """
    changes: list[dict[str, Any]] = [{}]
    match kind:
        case "leave_one_out":
            changes += [{factor.name: _off(factor)} for factor in factors]
        case "one_factor":
            changes += _changes(factors, 1)
        case "pairwise":
            changes += _changes(factors, 1) + _changes(factors, 2)
        case "full_factorial":
            for size in range(1, len(factors) + 1):
                changes += _changes(factors, size)
    return tuple(_arm(factors, change) for change in changes)


def _changes(factors: tuple[Factor, ...], size: int) -> list[dict[str, Any]]:
    """Every way to move exactly `size` factors off their baseline."""
    return [
        dict(zip((factor.name for factor in group), levels, strict=True))
        for group in itertools.combinations(factors, size)
        for levels in itertools.product(*(factor.variants for factor in group))
    ]


def _off(factor: Factor) -> Any:
    if factor.without is not None:
        level = factor.without
    elif len(factor.levels) == 2:
        level = factor.variants[0]
    else:
        raise ConfigError(
            f"ablation.factors.{factor.name}.without: which of {shown_value(factor.variants)} is the improvement "
            "left out?"
        )
    if level == factor.baseline:
        raise ConfigError(
            f"ablation.factors.{factor.name}.without={shown_value(level)}: is the baseline's level, nothing is left out"
        )
    return level


def _arm(factors: tuple[Factor, ...], change: Mapping[str, Any]) -> Arm:
    levels = {factor.name: change.get(factor.name, factor.baseline) for factor in factors}
    overrides = tuple(text for factor in factors for text in factor.levels[levels[factor.name]])
    name = ", ".join(f"{key}={element(value)}" for key, value in change.items())
    return Arm(name or BASELINE, levels, overrides)
