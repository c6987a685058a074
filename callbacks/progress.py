"""One bar for the whole run, with the time that is left."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from fer_lightning.config.metric_table import own_values, shares_first, single_values
from fer_lightning.messages import new_bar, shows_bars

log = logging.getLogger(__name__)


class RunProgress(ProgressBar):
    """A bar over all steps of the run; without a terminal, one line an epoch.

    Parameters
    ----------
    label
        Stands before the bar, such as the trial of a study.
    lines
        Without a terminal, log a line for each epoch; a study of short runs switches this off.
    """

    def __init__(self, label: str = "", lines: bool = True) -> None:
        super().__init__()
        self.label, self.lines = label, lines
        self.enabled = True
        self.bar: tqdm[Any] | None = None

    def disable(self) -> None:
        """Draw nothing (Lightning calls this in every process but the first)."""
        self.enabled = False

    def enable(self) -> None:
        """Draw again."""
        self.enabled = True

    def _description(self, trainer: pl.Trainer) -> str:
        length = trainer.max_epochs or -1  # without a length where time or steps end the training
        epoch = f"epoch {trainer.current_epoch + 1}" + (f"/{length}" if length > 0 else "")
        return f"{self.label}  {epoch}" if self.label else epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the step from which training goes on."""
        if self.enabled and shows_bars():
            total, done = _batches(trainer)
            self.bar = new_bar(
                total=total,
                initial=done,
                leave=False,
                mininterval=0.3,
                dynamic_ncols=True,
                bar_format="{desc} |{bar}| {percentage:3.0f}%  {remaining} left{postfix}",
            )
            self.bar.set_description_str(self._description(trainer), refresh=False)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show which epoch runs."""
        if self.bar is not None:
            self.bar.set_description_str(self._description(trainer), refresh=False)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on by one step."""
        if self.bar is not None:
            self.bar.update(1)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count the validation's batches, which Lightning may not know before."""
        if self.bar is not None:
            self.bar.total = _batches(trainer)[0]

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move on by one step, for validation takes its time, too."""
        if self.bar is not None:
            self.bar.update(1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the validation's result."""
        measured = trainer.callback_metrics
        known = [*shares_first(single_values(headline=True)), *own_values(measured)]
        names = [name for name in known if f"val/{name}" in measured]
        text = "  ".join(f"val {name} {float(measured[f'val/{name}']):.3f}" for name in names)
        if self.bar is not None:
            self.bar.set_postfix_str(text, refresh=False)
        elif self.enabled and self.lines:
            log.info("%s  %s", self._description(trainer), text)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away."""
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Take the bar away before a message is shown."""
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _batches(trainer: pl.Trainer) -> tuple[int | None, int]:
    """Return the batches of the run, those of validation among them, if they are known, and how many are done."""
    training = max(1, int(trainer.num_training_batches))
    validation, every = sum(map(int, trainer.num_val_batches)), trainer.check_val_every_n_epoch or 1
    steps = trainer.estimated_stepping_batches

    def after(epochs: int) -> int:
        return training * epochs + validation * (epochs // every)

    done = after(trainer.current_epoch)
    if not math.isfinite(steps) or steps < 1:
        return None, done
    return after(math.ceil(steps / math.ceil(training / trainer.accumulate_grad_batches))), done
