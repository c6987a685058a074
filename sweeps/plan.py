"""Ablation plans: from factors and their levels to arms, and from arms and seeds to trials."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.override import element, key_of, override

KINDS = ("one_factor", "leave_one_out", "pairwise", "full_factorial")
BASELINE = "baseline"


@dataclass(frozen=True)
class Factor:
    """Something that is varied; `levels` maps each level's label to its overrides, the baseline first.

    `off` is the level that takes an improvement away, for the leave-one-out plan.
    """

    name: str
    levels: Mapping[Any, tuple[str, ...]]
    off: Any = None

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
        """All trials in order: seed by seed, so that a study stopped early compares all arms over fewer seeds."""
        return [Cell(arm, seed) for seed in self.seeds for arm in self.arms]

    @property
    def keys(self) -> set[str]:
        """The configuration keys that some level sets."""
        return {key_of(text) for f in self.factors for texts in f.levels.values() for text in texts}

    def as_config(self) -> dict[str, Any]:
        """A plain description without the seeds, by which two plans are compared."""
        factors = {f.name: {str(k): list(v) for k, v in f.levels.items()} for f in self.factors}
        return {"plan": self.kind, "factors": factors, "arms": [arm.name for arm in self.arms]}


def parse_plan(
    config: Mapping[str, Any],
    seeds: Sequence[int] | None,
    current: Callable[[str], Any] = lambda key: None,
) -> Plan:
    """Read a plan from its configuration.

    Parameters
    ----------
    config
        ``{plan: one_factor|leave_one_out|pairwise|full_factorial, factors: {name: {key, levels, baseline, off}}}``, where
        `levels` is a list of values of `key`, or a mapping from labels to lists of overrides.
    seeds
        The seeds that every arm runs under.
    current
        Gives a configuration key's present value, the baseline of a factor that names none.

    Raises
    ------
    ConfigError
        Naming the entry that is wrong.
    """
    kind = config.get("plan", "one_factor")
    if kind not in KINDS:
        raise ConfigError(f"ablation.plan={kind!r}: expected one of {', '.join(KINDS)}")
    unknown = set(config) - {"plan", "factors"}
    if unknown:
        raise ConfigError(f"ablation.{min(unknown)}: not known; expected plan and factors")
    nodes = config.get("factors")
    if not isinstance(nodes, Mapping) or not any(node is not None for node in nodes.values()):
        raise ConfigError(f"ablation.factors={nodes!r}: expected at least one factor")
    factors = tuple(parse_factor(str(n), node, current) for n, node in nodes.items() if node is not None)
    _refuse_shared_keys(factors)
    return Plan(kind, factors, _arms(kind, factors), _seeds(seeds))


def _seeds(seeds: Sequence[int] | None) -> tuple[int, ...]:
    if not isinstance(seeds, Sequence) or isinstance(seeds, str) or not seeds:
        raise ConfigError(f"seeds={seeds!r}: expected a list of whole numbers such as [0,1,2]")
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
            raise ConfigError(f"seeds={list(seeds)}: {seed!r} is no whole number from 0 to 2147483647")
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds={list(seeds)}: a seed is listed twice")
    return tuple(seeds)


def parse_factor(name: str, node: Any, current: Callable[[str], Any] = lambda key: None) -> Factor:
    """Read one factor; see `parse_plan`."""
    where = f"ablation.factors.{name}"
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where}={node!r}: expected a mapping with key, levels and baseline")
    unknown = set(node) - {"key", "levels", "baseline", "off"}
    if unknown:
        raise ConfigError(f"{where}.{min(unknown)}: not known; expected key, levels, baseline, off")
    if name == "seed":
        raise ConfigError(f"{where}: seeds are no factor; set seeds=[…]")
    levels = node.get("levels")
    if isinstance(levels, Mapping):
        table = _compound_levels(where, node, levels)
    else:
        table = _value_levels(where, node, levels, current)
    if len(table) < 2:
        raise ConfigError(f"{where}.levels={levels!r}: expected at least one level beside the baseline")
    off = node.get("off")
    if off is not None and off not in table:
        raise ConfigError(f"{where}.off={off!r}: is none of its levels {list(table)}")
    return Factor(name, table, off)


def _value_levels(
    where: str, node: Mapping[str, Any], levels: Any, current: Callable[[str], Any]
) -> dict[Any, tuple[str, ...]]:
    key = node.get("key")
    if not isinstance(key, str):
        raise ConfigError(f"{where}.key={key!r}: expected a configuration key such as model.activation")
    if not isinstance(levels, (list, tuple)) or not levels:
        raise ConfigError(f"{where}.levels={levels!r}: expected a list of values for {key}")
    baseline = node["baseline"] if "baseline" in node else current(key)
    if baseline is None and "baseline" not in node:
        raise ConfigError(f"{where}.baseline: is missing, and {key} has no value in the configuration")
    return {_label(value): (override(key, value),) for value in [baseline, *levels]}


def _label(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float, bool)) else element(value)


def _compound_levels(
    where: str, node: Mapping[str, Any], levels: Mapping[Any, Any]
) -> dict[Any, tuple[str, ...]]:
    if "key" in node:
        raise ConfigError(f"{where}: has a key and named levels; give one of them")
    baseline = node.get("baseline")
    if baseline not in levels:
        raise ConfigError(f"{where}.baseline={baseline!r}: is none of its levels {list(levels)}")
    table = {}
    for label in [baseline, *levels]:
        texts = levels[label] or ()
        if isinstance(texts, str) or not all(isinstance(text, str) and "=" in text for text in texts):
            raise ConfigError(
                f"{where}.levels.{label}={texts!r}: expected a list of overrides such as [a.b=1]"
            )
        table[label] = tuple(texts)
    return table


def _refuse_shared_keys(factors: tuple[Factor, ...]) -> None:
    seen: dict[str, str] = {}
    for factor in factors:
        for key in {key_of(text) for texts in factor.levels.values() for text in texts}:
            if key in seen:
                raise ConfigError(f"ablation.factors: {seen[key]} and {factor.name} both set {key}")
            seen[key] = factor.name


def _arms(kind: str, factors: tuple[Factor, ...]) -> tuple[Arm, ...]:
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
    if factor.off is not None:
        level = factor.off
    elif len(factor.levels) == 2:
        level = factor.variants[0]
    else:
        raise ConfigError(
            f"ablation.factors.{factor.name}.off: which of {factor.variants} is the improvement left out?"
        )
    if level == factor.baseline:
        raise ConfigError(
            f"ablation.factors.{factor.name}.off={level!r}: is the baseline's level, nothing is left out"
        )
    return level


def _arm(factors: tuple[Factor, ...], change: Mapping[str, Any]) -> Arm:
    levels = {factor.name: change.get(factor.name, factor.baseline) for factor in factors}
    overrides = tuple(text for factor in factors for text in factor.levels[levels[factor.name]])
    name = ", ".join(f"{key}={element(value)}" for key, value in change.items())
    return Arm(name or BASELINE, levels, overrides)
