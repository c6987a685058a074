"""Log how long an epoch took to train and to validate."""

from __future__ import annotations

import time

import pytorch_lightning as pl
import torch


class EpochSeconds(pl.Callback):
    """Logs ``seconds/train`` and ``seconds/val`` of each epoch, wall-clock."""

    def __init__(self) -> None:
        self.started = self.validation_started = 0.0
        self.validation = 0.0

    @staticmethod
    def _now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started, self.validation = self._now(), 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the validation's clock."""
        self.validation_started = self._now()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add up the validation's time."""
        self.validation += self._now() - self.validation_started

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log both times."""
        whole = self._now() - self.started
        pl_module.log_dict(
            {"seconds/train": whole - self.validation, "seconds/val": self.validation}, rank_zero_only=True
        )
