"""Which epoch of a run is the best: the one rule that its files, its record and every table ask."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fer_lightning.config.values import Direction, checked


class BestEpoch:
    """Remembers the best value of a metric.

    Of equal values the first is the best. A value that is no number, or is infinitely bad, never is.

    Parameters
    ----------
    monitor, mode
        The metric that decides, and whether ``max`` or ``min`` of it is best.

    Attributes
    ----------
    score
        The best value so far; its negative where the ``min`` is best.

    Raises
    ------
    ConfigError
        The mode is neither.

    Examples
    --------
    >>> best = BestEpoch("val/loss", "min")
    >>> [best.improved({"val/loss": value}) for value in (math.nan, 0.5, 0.5, 0.4)]
    [False, True, False, True]
    """

    @checked()
    def __init__(self, monitor: str = "val/acc", mode: Direction = "max") -> None:
        self.monitor, self.sign = monitor, 1.0 if mode == "max" else -1.0
        self.score = -math.inf

    def improved(self, measured: Mapping[str, Any]) -> bool:
        """Say whether an epoch with these metrics is better than all before it, and remember it."""
        value = measured.get(self.monitor)
        if value is None:
            return False
        score = self.sign * float(value)
        if not score > self.score:
            return False
        self.score = score
        return True


def best_epoch(
    epochs: Iterable[Mapping[str, Any]], monitor: str, mode: Direction
) -> Mapping[str, Any] | None:
    """Return the metrics of the best of all epochs, given in their order; ``None`` where none is."""
    best, found = BestEpoch(monitor, mode), None
    for measured in epochs:
        if best.improved(measured):
            found = measured
    return found
