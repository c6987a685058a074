"""Constraints of a search (`parameters<2e6`): read, measured on a trial, and kept by Optuna's own means."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.errors import ConfigError, nearest

# The study's attribute that has the texts of its constraints.
CONSTRAINTS = "constraints"
_FORM = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=|<|>)\s*([^\s<>=]+)\s*")
# Samplers of Optuna that draw by the constraints of earlier trials; the second learn of complete trials alone.
_LEARNING = (".TPESampler",)
_OF_COMPLETE = (".GPSampler", ".NSGAIISampler", ".NSGAIIISampler")


@dataclass(frozen=True)
class Constraint:
    """A limit for a number of each trial.

    Examples
    --------
    >>> found = Constraint.parse("parameters < 2e6")
    >>> found.text, found.excess(1e6), found.excess(3e6)
    ('parameters<2e6', -0.5, 0.5)
    """

    name: str
    sign: str
    limit: float
    text: str

    @classmethod
    def parse(cls, text: str, where: str = "hydra.sweeper.constraints") -> Constraint:
        """Read ``name<limit``, or with ``<=``, ``>`` or ``>=``.

        Raises
        ------
        ConfigError
            It has another form.
        """
        found = _FORM.fullmatch(text)
        try:
            limit = math.nan if found is None else float(found[3])
        except ValueError:
            limit = math.nan
        if found is None or not math.isfinite(limit):
            raise ConfigError(
                f"{where}={text}: expected a name, one of <, <=, > and >=, and a number, such as parameters<2e6"
            )
        return cls(found[1], found[2], limit, "".join(found.groups()))

    def excess(self, value: float) -> float:
        """How far a finite value is beyond the limit, as a share of that: above 0 where the constraint is violated.

        As shares, because samplers add the excesses of several constraints up.
        """
        beyond = (value - self.limit) if "<" in self.sign else (self.limit - value)
        share = beyond / abs(self.limit) if self.limit else beyond
        return sys.float_info.epsilon if share == 0 and "=" not in self.sign else share


class InfeasibleError(optuna.TrialPruned):
    """A trial violates a constraint by what is known of it before it is trained."""


def parse_constraints(texts: Sequence[str] | str | None) -> tuple[Constraint, ...]:
    """Read the option `constraints`: a list, or one text with commas.

    Raises
    ------
    ConfigError
        One has another form or stands there twice, or two exclude each other.
    """
    # Hydra reads no < without quotes, so that a list without them comes as one text.
    listed = texts.strip().strip("[]").split(",") if isinstance(texts, str) else texts or ()
    found = [Constraint.parse(text) for text in listed]
    for constraint in found:
        same = [other for other in found if other.name == constraint.name]
        if [other.sign[0] for other in same].count(constraint.sign[0]) > 1:
            raise ConfigError(
                f"hydra.sweeper.constraints={constraint.text}: expected one upper and one lower limit of "
                f"{constraint.name} at most"
            )
        if any(other.sign[0] != constraint.sign[0] and other.excess(constraint.limit) > 0 for other in same):
            texts = " and ".join(other.text for other in same)
            raise ConfigError(f"hydra.sweeper.constraints: {texts} exclude each other")
    return tuple(found)


def measure(
    constraints: Iterable[Constraint], known: Mapping[str, Any], *, partly: bool = False
) -> dict[str, float]:
    """Return the excess over each constraint by its text.

    Parameters
    ----------
    known
        Numbers of a trial by name.
    partly
        Whether constraints of which nothing is known are left out.

    Raises
    ------
    ValueError
        A number is missing or not finite.
    """
    found = {}
    for constraint in constraints:
        if constraint.name not in known:
            if partly:
                continue
            raise ValueError(f"constraint {constraint.text}: {constraint.name} is not among the trial's numbers; "
                             f"{nearest(constraint.name, map(str, known))}")  # fmt: skip
        try:
            value = float(known[constraint.name])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"constraint {constraint.text}: {constraint.name} is {known[constraint.name]!r}, "
                             "expected a finite number")  # fmt: skip
        found[constraint.text] = constraint.excess(value)
    return found


def refusal(constraints: Iterable[Constraint], known: Mapping[str, Any], excess: Mapping[str, float]) -> str:
    """Say which constraints are violated, and by which numbers; empty where all are met."""
    said = [
        f"{c.name} is {_shown(float(known[c.name]))}, expected {c.text}"
        for c in constraints
        if excess.get(c.text, 0.0) > 0
    ]
    return f"infeasible: {'; '.join(said)}" if said else ""


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.6g}"


def keep_excess(trial: optuna.Trial, excess: Mapping[str, float]) -> None:
    """Store the excess over each constraint with a trial; what an earlier attempt has stored stays."""
    present = trial.constraints
    for text, value in excess.items():
        if text not in present:
            trial.set_constraint(text, value)


def violated(trial: FrozenTrial) -> tuple[str, ...]:
    """The constraints that a trial is known to violate."""
    return tuple(text for text, value in trial.constraints.items() if value > 0)


def is_untrained(trial: FrozenTrial) -> bool:
    """Whether a trial was left untrained, as what was known of it before violates a constraint."""
    return trial.state == TrialState.PRUNED and not trial.intermediate_values and bool(violated(trial))


def sampler_note(constraints: Sequence[Constraint], target: str) -> list[str]:
    """Say of a sampler that it cannot use the constraints, or not all of them; of an own class nothing is known."""
    if not constraints or not target.startswith("optuna.") or target.endswith(_LEARNING):
        return []
    name = target.rpartition(".")[2]
    if target.endswith(_OF_COMPLETE):
        return [
            f"{name} learns from trained trials which settings violate a constraint, not from those that are left "
            "untrained; hydra/sweeper/sampler=tpe learns from both"
        ]
    return [
        f"{name} does not use constraints: it draws settings that violate them as often as others, and they never win; "
        "hydra/sweeper/sampler=tpe avoids them"
    ]
