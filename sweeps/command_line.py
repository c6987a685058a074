"""Sweeps on the command line (`key=a,b`, `interval(…)`, `range(…)`), read as parts of a search space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space import Parameter, SearchSpace
from fer_lightning.sweeps.space_config import parse_parameter


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
    key = item.get_key_element()
    value = item.value()
    match value:
        case ChoiceSweep():
            return parse_parameter(key, {"type": "categorical", "choices": [_plain(v) for v in value.list]})
        case RangeSweep():
            return parse_parameter(key, _range(key, value))
        case IntervalSweep():
            return parse_parameter(key, _interval(value))
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


def _range(key: str, value: RangeSweep) -> dict[str, Any]:
    # Hydra's range leaves its end out, Optuna's distributions include it: the values themselves say what is
    # meant.
    values = list(value.range())
    if not values:
        raise ConfigError(f"{key}: the range is empty")
    return {"type": "categorical", "choices": values}


def _interval(value: IntervalSweep) -> dict[str, Any]:
    low, high = value.start, value.end
    # Hydra makes both ends floats; int(interval(1,8)) asks for whole numbers.
    whole = isinstance(low, int) and isinstance(high, int)
    log = {"log": True} if "log" in value.tags else {}
    return {"type": "int" if whole else "float", "low": low, "high": high, **log}
