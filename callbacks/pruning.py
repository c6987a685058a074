"""Report each epoch to the study and stop when its pruner gives the trial up."""

from __future__ import annotations

from typing import Protocol

import pytorch_lightning as pl


class Session(Protocol):
    """What the callback needs of a trial of a study."""

    def report(self, value: float, step: int) -> None:
        """Tell the study the metric of an epoch."""

    def should_prune(self) -> bool:
        """Ask whether to give the trial up."""


class TrialPruning(pl.Callback):
    """Reports the monitored metric when an epoch has been validated, and stops a trial that is pruned.

    Parameters
    ----------
    session
        The trial.
    monitor
        The metric that the study compares.
    """

    def __init__(self, session: Session, monitor: str = "val/acc") -> None:
        self.session, self.monitor = session, monitor
        self.pruned_after: int | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the epoch; the last one is never pruned, since nothing would be saved by it."""
        value = trainer.callback_metrics.get(self.monitor)
        if trainer.sanity_checking or value is None:
            return
        # Every process must stop, but only the first may talk to the study.
        prune = False
        if trainer.is_global_zero:
            self.session.report(float(value), step=trainer.current_epoch)
            prune = self.session.should_prune()
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if trainer.strategy.broadcast(prune) and not last:
            self.pruned_after = trainer.current_epoch + 1
            trainer.should_stop = True
