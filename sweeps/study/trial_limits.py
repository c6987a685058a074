"""The study's constraints on one trial: asked before it is trained, and again when its result is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from fer_lightning.sweeps.optuna_private import last_read
from fer_lightning.sweeps.plan.confirmation import is_confirming
from fer_lightning.sweeps.study.constraints import (
    CONSTRAINTS,
    Constraint,
    InfeasibleError,
    keep_excess,
    measure,
    parse_constraints,
    refusal,
)


class TrialLimits:
    """Measures a trial against the constraints of its study.

    A trial that confirms a setting has none: it is run again whatever its time comes to this once.

    Parameters
    ----------
    constraints
        The texts that the study stores.
    trial
        The trial; its constraints are stored with it.
    """

    def __init__(self, constraints: Sequence[str] | None, trial: optuna.Trial) -> None:
        self._trial = trial
        self._constraints: tuple[Constraint, ...] = parse_constraints(constraints)
        if constraints and is_confirming(last_read(trial)):
            self._constraints = ()
        self._known: dict[str, Any] = {}

    @classmethod
    def of(cls, study: optuna.Study, trial_id: int) -> TrialLimits:
        """The limits of one of a study's trials."""
        return cls(study.user_attrs.get(CONSTRAINTS), optuna.Trial(study, trial_id))

    @property
    def names(self) -> frozenset[str]:
        """The numbers that are limited."""
        return frozenset(constraint.name for constraint in self._constraints)

    def admit(self, known: Mapping[str, Any]) -> None:
        """Judge a trial by what is known before it is trained.

        Raises
        ------
        InfeasibleError
            It violates a constraint, which is stored.
        ValueError
            A number is not finite.
        """
        self._known |= known
        excess = measure(self._constraints, known, partly=True)
        said = refusal(self._constraints, known, excess)
        if said:
            keep_excess(self._trial, excess)
            raise InfeasibleError(said)

    def judge(
        self, values: Any, chosen: Sequence[float], objectives: Sequence[str], seconds: float
    ) -> tuple[dict[str, float], str]:
        """Measure a trial that is complete.

        Parameters
        ----------
        values
            What it told: its numbers by name, or the objectives alone.
        chosen, objectives
            The objectives' values and names.
        seconds
            How long it ran, over all attempts.

        Returns
        -------
        The excess over each constraint, for `keep`, and which are violated, in words; empty where all are met.

        Raises
        ------
        ValueError
            A limited number is missing or not finite.
        """
        if not self._constraints:
            return {}, ""
        steps = len(last_read(self._trial).intermediate_values)
        told = values if isinstance(values, Mapping) else {}
        known = {"epochs": steps, **dict(zip(objectives, chosen, strict=True)), **self._known, **told}
        known["seconds"] = seconds
        excess = measure(self._constraints, known)
        return excess, refusal(self._constraints, known, excess)

    def keep(self, excess: Mapping[str, float]) -> None:
        """Store the excess over each constraint with the trial."""
        keep_excess(self._trial, excess)
