"""Whether an epoch is the best so far."""

from __future__ import annotations

import math

import pytorch_lightning as pl

from fer_lightning.errors import ConfigError


class BestEpoch:
    """Remembers the best value of a metric.

    Parameters
    ----------
    monitor, mode
        The metric that decides, and whether ``max`` or ``min`` of it is best.

    Raises
    ------
    ConfigError
        The mode is neither.
    """

    def __init__(self, monitor: str = "val/acc", mode: str = "max") -> None:
        if mode not in ("max", "min"):
            raise ConfigError(f"mode={mode}: expected max or min")
        self.monitor, self.sign = monitor, 1.0 if mode == "max" else -1.0
        self.score = -math.inf

    def improved(self, trainer: pl.Trainer) -> bool:
        """Say whether the epoch that has just been validated is better than all before it, and remember it."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is None or trainer.sanity_checking:
            return False
        score = self.sign * float(value)
        if not score > self.score:
            return False
        self.score = score
        return True
