"""Whether two configurations are the same, and not only equal."""

from __future__ import annotations

from typing import Any

from omegaconf import Container


def same_config(one: Any, other: Any) -> bool:
    """Say whether two nodes have the same values, interpolations, types, flags and order of keys, all the way down.

    OmegaConf's own ``==`` follows interpolations, and knows of neither flags nor types nor order.
    """
    if type(one) is not type(other) or _about(one) != _about(other):
        return False
    first, second = one._value(), other._value()
    if not isinstance(one, Container) or not isinstance(first, (dict, list)):
        return type(first) is type(second) and repr(first) == repr(second)
    if type(first) is not type(second) or len(first) != len(second):
        return False
    if isinstance(first, dict):
        return list(first) == list(second) and all(same_config(first[key], second[key]) for key in first)
    return all(map(same_config, first, second))


def _about(node: Any) -> dict[str, Any]:
    """What a node knows beside its value; what was resolved so far is no part of it."""
    return {key: value for key, value in vars(node._metadata).items() if key != "resolver_cache"}
