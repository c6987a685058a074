"""The objective values of a study, picked from what a job measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

# A number, several of them, or a mapping that holds them by name. A number is whatever `float` takes.
Values = Any


def choose(values: Values, objectives: Sequence[str]) -> list[float]:
    """Return the objectives' values in their order.

    Parameters
    ----------
    values
        What a job returned or told: the one value, the values in the order of the objectives, or a mapping that holds
        them by name. Each may be whatever `float` takes, such as a tensor or a NumPy scalar.

    Raises
    ------
    ValueError
        If one is missing or not a number, or there are more or fewer of them than objectives.
    """
    if isinstance(values, Mapping):
        missing = [name for name in objectives if name not in values]
        if missing:
            raise ValueError(f"objective {missing[0]} is not among the metrics {sorted(map(str, values))}")
        values = [values[name] for name in objectives]
    listed = _listed(values)
    if len(listed) != len(objectives):
        raise ValueError(f"{len(listed)} objective values were given for {list(objectives)}")
    return [_number(value, name) for value, name in zip(listed, objectives, strict=True)]


def _listed(values: Any) -> list[Any]:
    """Return several values as a list, and a single one as a list of one."""
    # The scalars of NumPy and PyTorch are arrays without a dimension, which cannot be iterated over.
    if isinstance(values, (str, bytes)) or getattr(values, "ndim", None) == 0:
        return [values]
    return list(values) if isinstance(values, Iterable) else [values]


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"objective {name} is {value!r}, expected a number") from None
    if math.isnan(number):
        raise ValueError(f"objective {name} is nan")
    return number


def last_value(trial: FrozenTrial) -> list[float] | None:
    """The value that a trial reported last, if it is a number: what a pruned trial came to."""
    value = math.nan if trial.last_step is None else trial.intermediate_values[trial.last_step]
    return None if math.isnan(value) else [value]
