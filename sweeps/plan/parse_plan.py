"""Reading an ablation plan from its configuration; every mistake is named in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.values import Seeds, check_keys, check_value, one_of
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.plan.plan import KINDS, Factor, Plan, make_arms
from fer_lightning.sweeps.plan.tuning import parse_tuning
from fer_lightning.sweeps.space.override import element, key_of, override


def parse_plan(
    config: Mapping[str, Any],
    seeds: Sequence[int] | None,
    current: Callable[[str], Any] = lambda key: None,
    seed_key: str = "seed",
) -> Plan:
    """Read a plan from its configuration.

    Parameters
    ----------
    config
        ``{plan: one_factor|leave_one_out|pairwise|full_factorial,
        factors: {name: {key, levels, baseline, without}}, tuning: …}``, where `levels` is a list of values of
        `key`, or a mapping from labels to lists of overrides; for `tuning` see `parse_tuning`.
    seeds
        The seeds that every arm runs under.
    current
        Gives a configuration key's present value, the baseline of a factor that names none.
    seed_key
        The configuration key of the seed.

    Raises
    ------
    ConfigError
        Naming the entry that is wrong.
    """
    check_keys(config, {"plan": one_of(KINDS), "factors": Any, "tuning": Any}, "ablation.")
    kind = config.get("plan", "one_factor")
    nodes = config.get("factors")
    if not isinstance(nodes, Mapping) or not any(node is not None for node in nodes.values()):
        raise ConfigError(f"ablation.factors={shown_value(nodes)}: expected at least one factor")
    factors = tuple(parse_factor(str(n), node, current) for n, node in nodes.items() if node is not None)
    _refuse_shared_keys(factors)
    arms, checked = make_arms(kind, factors), _seeds(seeds)
    if any(key_of(seed_key) == key_of(text) for factor in factors for text in _overrides_of(factor)):
        raise ConfigError(f"ablation.factors: one sets {seed_key}, the key of the seed; set seeds=[…]")
    tuning = parse_tuning(config.get("tuning"), checked)
    return Plan(kind, factors, arms, checked, tuning, seed_key)


def _overrides_of(factor: Factor) -> list[str]:
    return [text for texts in factor.levels.values() for text in texts]


def _seeds(seeds: Sequence[int] | None) -> tuple[int, ...]:
    check_value(seeds, Seeds, "seeds")
    assert seeds is not None
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds={list(seeds)}: a seed is listed twice")
    return tuple(seeds)


def parse_factor(name: str, node: Any, current: Callable[[str], Any] = lambda key: None) -> Factor:
    """Read one factor; see `parse_plan`."""
    where = f"ablation.factors.{name}"
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where}={shown_value(node)}: expected a mapping with key, levels and baseline")
    check_keys(node, dict.fromkeys(("key", "levels", "baseline", "without"), Any), f"{where}.")
    if name == "seed":
        raise ConfigError(f"{where}: seeds are no factor; set seeds=[…]")
    levels = node.get("levels")
    if isinstance(levels, Mapping):
        table = _compound_levels(where, node, levels)
    else:
        table = _value_levels(where, node, levels, current)
    if len(table) < 2:
        raise ConfigError(
            f"{where}.levels={shown_value(levels)}: expected at least one level beside the baseline"
        )
    without = node.get("without")
    if without is not None and without not in table:
        raise ConfigError(
            f"{where}.without={shown_value(without)}: is none of its levels {shown_value(list(table))}"
        )
    return Factor(name, table, without)


def _value_levels(
    where: str, node: Mapping[str, Any], levels: Any, current: Callable[[str], Any]
) -> dict[Any, tuple[str, ...]]:
    key = node.get("key")
    if not isinstance(key, str):
        raise ConfigError(
            f"{where}.key={shown_value(key)}: expected a configuration key such as model.activation"
        )
    if not isinstance(levels, (list, tuple)) or not levels:
        raise ConfigError(f"{where}.levels={shown_value(levels)}: expected a list of values for {key}")
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
        raise ConfigError(
            f"{where}.baseline={shown_value(baseline)}: is none of its levels {shown_value(list(levels))}"
        )
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
        for key in {key_of(text) for text in _overrides_of(factor)}:
            if key in seen:
                raise ConfigError(f"ablation.factors: {seen[key]} and {factor.name} both set {key}")
            seen[key] = factor.name
