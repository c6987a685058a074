"""The values of a search space that are tried before any trial: every choice, and the ends of every range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import key_of, node_of, override
from fer_lightning.sweeps.space.search_space import Lookup, Parameter, Point, SearchSpace

# How far within a continuous range its end stands when the end itself, which hardly any trial gets, is refused.
_WITHIN = 1e-3


@dataclass(frozen=True)
class TriedValue:
    """One value of a searched key.

    Attributes
    ----------
    shown
        The override that sets it, as messages name it.
    ways
        Lists of overrides, with those that the parameter's conditions need. The value stands if one of them does: an
        end of a continuous range comes with its neighbour within, since `interval(0,1)` is meant without its ends.
    """

    shown: str
    ways: tuple[tuple[str, ...], ...]


def tried_values(space: SearchSpace, lookup: Lookup) -> Iterator[TriedValue]:
    """Yield what is to be tried of each parameter; conditions hold, the other parameters are as configured."""
    for parameter in space.parameters:
        given = conditions_met(parameter, space, lookup)
        for values in _values(parameter):
            overrides = [parameter.override(value) for value in values]
            yield TriedValue(overrides[0].lstrip("+"), tuple((*given, word) for word in overrides))


def corners(space: SearchSpace, lookup: Lookup) -> Iterator[tuple[str, ...]]:
    """Yield overrides that set all parameters at once: to their first values, their last, and those next to them."""
    for end in (0, -1):
        for neighbour in (0, -1):
            point = Point()
            for parameter in space.parameters:
                if parameter.applies(point, lookup):
                    point = point.with_value(parameter, list(_values(parameter))[end][neighbour])
            yield point.overrides


def _values(parameter: Parameter) -> Iterator[tuple[Any, ...]]:
    match parameter.distribution:
        case CategoricalDistribution(choices=choices):
            yield from ((choice,) for choice in choices)
        case FloatDistribution(step=None) as floats:
            low, high = floats.low, floats.high
            if low == high:
                yield (low,)
            elif floats.log:
                ratio = (high / low) ** _WITHIN
                yield from ((low, low * ratio), (high, high / ratio))
            else:
                part = _WITHIN * (high - low)
                yield from ((low, low + part), (high, high - part))
        case FloatDistribution() | IntDistribution() as ends:
            yield from ((end,) for end in dict.fromkeys((ends.low, ends.high)))


def conditions_met(parameter: Parameter, space: SearchSpace, lookup: Lookup) -> list[str]:
    """Return the overrides under which a parameter exists, those that they need in turn first.

    Raises
    ------
    ConfigError
        Naming a condition that never holds.
    """
    given: list[str] = []
    for key, allowed in parameter.conditions.items():
        other = next((p for p in space.parameters if p.target == key), None)
        if other is None:
            given += _fixed_condition(key, allowed, given, lookup)
            continue
        values = [value for value in other.candidates() or allowed if value in allowed]
        if not values:
            raise ConfigError(
                f"search_space.{parameter.name}.when: {key} is never one of {list(allowed)}; "
                f"expected one of {other.candidates()}"
            )
        given += [*conditions_met(other, space, lookup), other.override(values[0])]
    # Groups first, for they replace what is set within them.
    return sorted(dict.fromkeys(given), key=lambda text: "." in node_of(key_of(text)))


def _fixed_condition(key: str, allowed: Sequence[object], given: list[str], lookup: Lookup) -> list[str]:
    """Return the override that meets a condition on a key that is not searched, if it is not met anyway."""
    return [] if lookup(key, given) in allowed else [override(key, allowed[0])]
