"""Sweeps on the command line (`key=a,b`, `interval(…)`, `range(…)`), read as parts of a search space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Transformer,
)

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.space.parse_space import parse_parameter
from fer_lightning.sweeps.space.search_space import Parameter, SearchSpace

# What a tag on an interval or a range asks for.
_TAGS = ("log", "int", "float")


def split_overrides(overrides: Sequence[Override]) -> tuple[list[str], SearchSpace]:
    """Part the overrides into those that every trial gets and those that are searched."""
    fixed: list[str] = []
    swept: list[Parameter] = []
    for item in overrides:
        if item.is_sweep_override():
            swept.append(_parameter(item))
        else:
            fixed.append(str(item.input_line))
    return fixed, SearchSpace(tuple(swept))


def _parameter(item: Override) -> Parameter:
    key, value = item.get_key_element(), item.value()
    name = key_of(key)
    match value:
        case ChoiceSweep():
            return parse_parameter(
                name, {"key": key, "type": "categorical", "choices": [_plain(v) for v in value.list]}
            )
        case Glob():
            # The options of a group that the pattern matches, as Hydra finds them.
            options = list(item.sweep_string_iterator())
            if not options:
                raise ConfigError(f"{item.input_line}: no option matches")
            return parse_parameter(name, {"key": key, "type": "categorical", "choices": options})
        case RangeSweep():
            return parse_parameter(name, {"key": key, **_range(item, value)})
        case IntervalSweep():
            return parse_parameter(name, {"key": key, **_interval(str(item.input_line), value)})
    raise ConfigError(f"{item.input_line}: this kind of sweep cannot be searched")


def _plain(value: Any) -> Any:
    """A choice as a plain value; Hydra keeps quoted texts apart."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    return value


def _range(item: Override, value: RangeSweep) -> dict[str, Any]:
    text = str(item.input_line)
    # Hydra's range leaves its end out, Optuna's distributions include it: the values themselves say what is meant.
    values: list[Any] = sorted(item.sweep_iterator(transformer=Transformer.identity))
    if not values:
        raise ConfigError(f"{text}: the range is empty")
    kind, log = _tagged(text, value.tags, whole=all(isinstance(v, int) for v in values))
    step = abs(value.step)
    if kind == "int" and any(int(v) != v for v in (values[0], step)):
        raise ConfigError(f"{text}: the range has fractions; expected whole numbers with the tag int")
    if not log:
        number = int if kind == "int" else float
        return {"type": kind, "low": number(values[0]), "high": number(values[-1]), "step": number(step)}
    if kind == "float" or step != 1:
        raise ConfigError(
            f"{text}: Optuna has no steps on a logarithmic scale; expected interval(…), or whole numbers one apart"
        )
    return {"type": "int", "low": int(values[0]), "high": int(values[-1]), "log": True}


def _interval(text: str, value: IntervalSweep) -> dict[str, Any]:
    low, high = value.start, value.end
    # Hydra makes both ends floats; int(interval(1,8)) asks for whole numbers, as the tag does.
    kind, log = _tagged(text, value.tags, whole=isinstance(low, int) and isinstance(high, int))
    if kind == "int":
        if any(int(end) != end for end in (low, high)):  # type: ignore[arg-type]
            raise ConfigError(f"{text}: expected whole numbers as the ends, with the tag int")
        low, high = int(low), int(high)  # type: ignore[arg-type]
    return {"type": kind, "low": low, "high": high, **({"log": True} if log else {})}


def _tagged(text: str, tags: set[str], *, whole: bool) -> tuple[str, bool]:
    """Return the type of a range or an interval, and whether its scale is logarithmic."""
    unknown = tags - set(_TAGS)
    if unknown:
        raise ConfigError(f"{text}: the tag {min(unknown)} is not known; expected one of {', '.join(_TAGS)}")
    if {"int", "float"} <= tags:
        raise ConfigError(f"{text}: has the tags int and float; expected one of them")
    kind = "int" if "int" in tags or (whole and "float" not in tags) else "float"
    return kind, "log" in tags
