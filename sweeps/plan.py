"""Ablation plans: from factors and their levels to arms, and from arms and seeds to trials."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.override import element, key_of, override

KINDS = ("one_factor", "leave_one_out", "pairwise", "full_factorial")
BASELINE = "baseline"


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
class Arm:
    """One configuration that is compared: its level of each factor and the overrides that make it."""

    name: str
    levels: Mapping[str, Any]
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One trial of a plan: an arm under a seed."""

    arm: Arm
    seed: int

    @property
    def params(self) -> dict[str, Any]:
        """The trial's parameters."""
        return {**self.arm.levels, "seed": self.seed}

    @property
    def overrides(self) -> list[str]:
        """What the job gets."""
        return [*self.arm.overrides, override("seed", self.seed)]


@dataclass(frozen=True)
class Plan:
    """The arms, the baseline first, and the seeds that every arm runs under."""

    kind: str
    factors: tuple[Factor, ...]
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]

    @property
    def cells(self) -> list[Cell]:
        """All trials, seed by seed, so that a study stopped early compares all arms over fewer seeds."""
        return [Cell(arm, seed) for seed in self.seeds for arm in self.arms]

    @property
    def keys(self) -> set[str]:
        """The configuration keys that some level sets."""
        return {key_of(text) for f in self.factors for texts in f.levels.values() for text in texts}

    def as_config(self) -> dict[str, Any]:
        """A plain description without the seeds, by which two plans are compared."""
        factors = {f.name: {str(k): list(v) for k, v in f.levels.items()} for f in self.factors}
        return {"plan": self.kind, "factors": factors, "arms": [arm.name for arm in self.arms]}


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
            f"ablation.factors.{factor.name}.without: which of {factor.variants} is the improvement left out?"
        )
    if level == factor.baseline:
        raise ConfigError(
            f"ablation.factors.{factor.name}.without={level!r}: is the baseline's level, nothing is left out"
        )
    return level


def _arm(factors: tuple[Factor, ...], change: Mapping[str, Any]) -> Arm:
    levels = {factor.name: change.get(factor.name, factor.baseline) for factor in factors}
    overrides = tuple(text for factor in factors for text in factor.levels[levels[factor.name]])
    name = ", ".join(f"{key}={element(value)}" for key, value in change.items())
    return Arm(name or BASELINE, levels, overrides)
