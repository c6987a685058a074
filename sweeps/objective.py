"""The objective values of a study, picked from what a job measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

Values = float | Sequence[float] | Mapping[str, Any]


def choose(values: Values, objectives: Sequence[str]) -> list[float]:
    """The objectives' values in their order.

    Parameters
    ----------
    values
        The one value, the list of values, or a mapping that holds them by name.

    Raises
    ------
    ValueError
        If one is missing or not a number.
    """
    if isinstance(values, Mapping):
        missing = [name for name in objectives if name not in values]
        if missing:
            raise ValueError(f"objective {missing[0]} is not among the metrics {sorted(values)}")
        values = [values[name] for name in objectives]
    chosen = [float(v) for v in values] if isinstance(values, Sequence) else [float(values)]
    if len(chosen) != len(objectives):
        raise ValueError(f"{len(chosen)} objective values were given for {list(objectives)}")
    for name, value in zip(objectives, chosen, strict=True):
        if math.isnan(value):
            raise ValueError(f"objective {name} is nan")
    return chosen


def last_value(trial: FrozenTrial) -> list[float] | None:
    """The value that a trial reported last, if it is a number: what a pruned trial came to."""
    value = math.nan if trial.last_step is None else trial.intermediate_values[trial.last_step]
    return None if math.isnan(value) else [value]
