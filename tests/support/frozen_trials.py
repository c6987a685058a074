"""Trials as Optuna stores them, made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial


def frozen_trial(
    number: int,
    state: str = "COMPLETE",
    value: float | None = None,
    params: Mapping[str, Any] | None = None,
    *,
    distributions: Mapping[str, BaseDistribution] | None = None,
    intermediate: Mapping[int, float] | None = None,
    constraints: Mapping[str, float] | None = None,
    **attrs: Any,
) -> FrozenTrial:
    """A trial of one objective; a parameter without a distribution has its own value as the only choice."""
    params = dict(params or {})
    chosen = {name: CategoricalDistribution((setting,)) for name, setting in params.items()}
    return FrozenTrial(
        number=number,
        state=TrialState[state],
        value=value,
        datetime_start=None,
        datetime_complete=None,
        params=params,
        distributions={**chosen, **(distributions or {})},
        user_attrs=attrs,
        system_attrs=create_trial(value=0.0, constraints=dict(constraints or {})).system_attrs,
        intermediate_values=dict(intermediate or {}),
        trial_id=number,
    )
