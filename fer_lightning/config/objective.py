"""What a study is judged by: the metric's name, its direction and its unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING

from fer_lightning.config.metric_table import SHARE as SHARE
from fer_lightning.config.metric_table import SPLITS, find_metric

if TYPE_CHECKING:
    import optuna

UNNAMED = "objective"
VAL_ACC = "val/acc"
# Smaller values are shown as 3.57e-06, here and on the page.
_MOST_DECIMALS = 6


def known_direction(name: str) -> bool | None:
    """Return whether more of a known metric is better; None for any other name."""
    metric = find_metric(name)
    return None if metric is None else metric.higher_is_better


def is_known_share(name: str) -> bool:
    """Return whether a metric of this name is a share of something, such as an accuracy."""
    metric = find_metric(name)
    return metric is not None and metric.unit == SHARE


@dataclass(frozen=True)
class Objective:
    """A metric as every table, sentence and figure shows it.

    Attributes
    ----------
    name
        Of the metric.
    higher_is_better
        False for a loss or an error.
    unit
        "share" for a fraction within 0..1, which is shown in per cent; any other text is shown beside the name; empty
        where none is known.
    decimals
        Of a value that is no share.

    Examples
    --------
    >>> error = Objective.of("error", higher_is_better=False, unit="mm", values=[0.5, 2.25])
    >>> error.heading, error.shown(2.25)
    ('error mm', '2.2500 mm')
    >>> Objective.of("val/acc", values=[0.6]).shown(0.6)
    '60.00 %'
    """

    name: str = VAL_ACC
    higher_is_better: bool = True
    unit: str = SHARE
    decimals: int = 4

    @classmethod
    def of(
        cls,
        name: str,
        higher_is_better: bool | None = None,
        unit: str | None = None,
        values: Iterable[float] = (),
    ) -> Objective:
        """Settle direction and unit.

        Parameters
        ----------
        name
            Of the metric.
        higher_is_better
            None for the direction that the name is known for, and True for an unknown name.
        unit
            None for a share where the name is known to be one and the direction is the known one.
        values
            All that were measured; a share has none outside 0..1.
        """
        known = known_direction(name)
        higher = (known is not False) if higher_is_better is None else higher_is_better
        finite = [value for value in values if math.isfinite(value)]
        # A loss that a program calls val/acc is no share: its direction gives it away.
        shared = unit == SHARE or (unit is None and is_known_share(name) and higher == known)
        if shared and all(0 <= value <= 1 for value in finite):
            return cls(name, higher, SHARE)
        return cls(name, higher, "" if unit in (None, SHARE) else str(unit), _decimals(finite))

    @property
    def is_share(self) -> bool:
        """Whether values are fractions, shown in per cent."""
        return self.unit == SHARE

    @property
    def is_accuracy(self) -> bool:
        """Whether values are shares of faces that are classified right, which logits tell face by face."""
        return self.is_share and self.higher_is_better and self.name in (f"{s}acc" for s in SPLITS)

    @property
    def scale(self) -> float:
        """What a value is multiplied by where it is shown."""
        return 100.0 if self.is_share else 1.0

    @property
    def digits(self) -> int:
        """Decimals of a value as it is shown."""
        return 2 if self.is_share else self.decimals

    @property
    def symbol(self) -> str:
        """The unit as it is shown: "%", the given text, or nothing."""
        return "%" if self.is_share else self.unit

    @property
    def heading(self) -> str:
        """The name with its unit."""
        return f"{self.name} {self.symbol}".strip()

    @property
    def difference_unit(self) -> str:
        """The unit of a difference, with a leading space; empty where there is none."""
        word = "points" if self.symbol == "%" else self.unit
        return f" {word}" if word else ""

    @property
    def direction(self) -> str:
        """The direction in words."""
        return f"{'higher' if self.higher_is_better else 'lower'} is better"

    @property
    def direction_note(self) -> str:
        """The direction in words where the name does not tell it: nothing for an accuracy."""
        return "" if self.higher_is_better and known_direction(self.name) else self.direction

    def text(self, value: float, *, signed: bool = False) -> str:
        """Show a finite value without its unit."""
        if self.digits > _MOST_DECIMALS:
            return f"{value:{'+' if signed else ''}.2e}"
        return f"{self.scale * value:{'+' if signed else ''}.{self.digits}f}"

    def shown(self, value: float) -> str:
        """Show a finite value with its unit."""
        return f"{self.text(value)} {self.symbol}".strip()

    def sort_key(self, value: float) -> float:
        """Return what puts the best value first."""
        return -value if self.higher_is_better else value


def _decimals(values: Sequence[float]) -> int:
    """Four for values around 1; five digits in all of larger ones, four of smaller ones.

    The middle value counts: one run that diverged takes no decimals from the others.
    """
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return 4
    power = math.floor(math.log10(median_low(sizes)))
    return max(0, 4 - power) if power > 0 else 4 if power >= -1 else min(3 - power, 12)


def study_objective(study: optuna.Study, place: int = 0, fallback: str | None = None) -> Objective:
    """Return what an Optuna study is judged by.

    Parameters
    ----------
    study
        Its directions, its user attributes ``objectives`` and ``unit``, and its values settle the objective.
    place
        Which of several objectives; the unit is the first one's.
    fallback
        The name of the first objective in a study that does not name it.
    """
    attrs = study.user_attrs
    names = attrs.get("objectives") or study.metric_names or [fallback or UNNAMED]
    trials = study.get_trials(deepcopy=False)
    values = [trial.values[place] for trial in trials if trial.values]
    if place == 0:
        values += [value for trial in trials for value in trial.intermediate_values.values()]
    return Objective.of(
        str(names[place]) if place < len(names) else UNNAMED,
        study.directions[place].name == "MAXIMIZE",
        attrs.get("unit") if place == 0 else None,
        values,
    )
