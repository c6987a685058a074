"""Report each epoch to the study and stop when its pruner gives the trial up."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Protocol

import optuna

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.jobs.attached import attach

# A program has loaded one of the two names of the same library before it makes a callback; loading both takes seconds.
Callback: Any = (
    sys.modules.get("lightning.pytorch") or importlib.import_module("pytorch_lightning")
).Callback


class Session(Protocol):
    """What the callback needs of a trial of a study."""

    def report(self, value: float, step: int) -> None:
        """Tell the study the metric of an epoch."""

    def should_prune(self) -> bool:
        """Ask whether to give the trial up."""


class TrialPruning(Callback):
    """Reports the monitored metric when an epoch has been validated, and stops a trial that is pruned.

    Parameters
    ----------
    session
        The trial; None in a run that is no part of a study, which is left alone.
    monitor
        The metric that the study compares.
    """

    def __init__(self, session: Session | None, monitor: str = "val/acc") -> None:
        self.session, self.monitor = session, monitor
        self.pruned_after: int | None = None

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Report the epoch."""
        if not trainer.sanity_checking:
            self._report(trainer)

    def _report(self, trainer: Any) -> None:
        """Report the epoch; the last one is never pruned, since nothing would be saved by it."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is None or self.pruned_after is not None:
            return
        # Every process must stop, but only the first may talk to the study.
        prune = False
        if self.session is not None and trainer.is_global_zero:
            self.session.report(float(value), step=trainer.current_epoch)
            prune = self.session.should_prune()
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if trainer.strategy.broadcast(prune) and not last:
            self.pruned_after = trainer.current_epoch + 1
            trainer.should_stop = True


class StudyPruning(TrialPruning):
    """Makes any Lightning training a part of a study: reports each epoch, stops and ends the job when it is pruned.

    Works with the `Trainer` of ``lightning.pytorch`` and of ``pytorch_lightning``. In a run that is no part of a study
    it does nothing. The job's result is what the program returns, as without it.

    Parameters
    ----------
    monitor
        A metric that the module logs, in validation or once an epoch in training; the study's objective.

    Raises
    ------
    optuna.TrialPruned
        At the end of `fit`, if the trial was pruned: it ends the job, and the study knows it as pruned.
    ConfigError
        At the end of `fit` in a study, if the module has not logged the metric.

    Examples
    --------
    ``Trainer(callbacks=[StudyPruning("val_loss")])``
    """

    def __init__(self, monitor: str) -> None:
        super().__init__(None, monitor)
        self._reported = False
        self._in_training = False

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Take the trial over, in the first of a run's processes."""
        if stage == "fit" and trainer.is_global_zero:
            self.session = attach()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Report the epoch, unless the metric is one of training, which is not whole yet."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or self._in_training:
            return
        if self.monitor in trainer.callback_metrics:
            self._report(trainer)
            self._reported = True
        else:
            self._in_training = True

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report the epoch of a training whose validation does not tell the metric."""
        if not self._reported and self.monitor in trainer.callback_metrics:
            self._in_training = True
        if self._in_training:
            self._report(trainer)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """End the job of a trial that was pruned."""
        if self.pruned_after is not None:
            raise optuna.TrialPruned(f"pruned after epoch {self.pruned_after}")
        if self.session is not None and self.monitor not in trainer.callback_metrics:
            names = ", ".join(sorted(trainer.callback_metrics)) or "none"
            raise ConfigError(
                f"StudyPruning({self.monitor!r}): the module logs no such metric; expected one of {names}"
            )
