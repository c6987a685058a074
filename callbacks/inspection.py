"""The base of callbacks that inspect the model: when they do it, and that training never notices."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytorch_lightning as pl
import torch
from pydantic import Field
from pytorch_lightning.loggers.logger import Logger

from fer_lightning.callbacks.epoch_subject import epoch_subject, folder_of, is_best_so_far
from fer_lightning.config.values import Count, checked
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.undisturbed import undisturbed
from fer_lightning.messages import one_line
from fer_lightning.tracking.logger import log_media, sends_rows_at_once
from fer_lightning.tracking.media import Picture, Table

log = logging.getLogger(__name__)
When = Literal["best", "end"] | Annotated[Count, Field(description="every how many epochs")]


@dataclass(frozen=True)
class Findings:
    """Results of an inspection to be logged: pictures and tables where a logger takes them, metrics everywhere."""

    images: Mapping[str, Picture] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class InspectionCallback(pl.Callback, ABC):
    """Inspect the model now and then, without changing what is trained.

    It works in any Lightning program: see docs/explanations.md.
    An inspection works on a copy of the classifier and leaves the random states as they were. The first error is
    logged in one line, and training continues. With several processes only the first one inspects.

    Parameters
    ----------
    folder
        The run's folder; ``None`` takes the trainer's ``default_root_dir``, or its first logger's folder in a program
        that trains on other data than a `FaceDataModule`.
    when
        ``best``: after training, at the best epoch (the last, where none is known to be best); ``end``: after
        training, at the last epoch; a number n: after every n-th epoch, at that epoch.

    Attributes
    ----------
    quick
        Whether an inspection takes a fraction of a second. Then ``best`` also inspects each epoch that is the best so
        far, for loggers whose rows are sent at once (W&B online).
    """

    quick = False

    @checked("callbacks.")
    def __init__(self, folder: str | Path | None = None, when: When = "best") -> None:
        self.folder, self.when = folder, when
        self.failed = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the folder from the trainer, unless one was given."""
        self.folder = self.folder or folder_of(trainer)

    @property
    def run_folder(self) -> Path:
        """The run's folder, from the callback's set-up on."""
        return Path(self.folder or "")

    @abstractmethod
    def inspect(self, subject: Subject, folder: Path) -> Findings | None:
        """Write files into ``folder`` (the run's, or ``epochs/<number>`` in it) and return what to log."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Inspect the epoch, if it is its turn."""
        epoch = trainer.current_epoch + 1
        if isinstance(self.when, int) and epoch % self.when == 0 and trainer.is_global_zero:
            folder = self.run_folder / "epochs" / f"{epoch:03d}"
            self._inspect_epoch(trainer, pl_module, folder, epoch, trainer.loggers)
        elif self.when == "best" and self.quick and trainer.is_global_zero:
            loggers = [logger for logger in trainer.loggers if sends_rows_at_once(logger)]
            if loggers and is_best_so_far(trainer):
                self._inspect_epoch(trainer, pl_module, self.run_folder, epoch, loggers)

    def _inspect_epoch(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        folder: Path,
        epoch: int,
        loggers: Sequence[Logger],
    ) -> None:
        with self.guard(pl_module):
            subject = epoch_subject(trainer, pl_module, folder, epoch)
            findings = self.inspect(subject, folder)
            if findings is not None:
                log_media(loggers, findings.images, findings.tables, (subject.epoch or 0) - 1)
                pl_module.log_dict(dict(findings.metrics), rank_zero_only=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Inspect the best or the last epoch."""
        # Not when the fit has ended: by then Lightning has taken the model off its device and closed its loggers.
        if not isinstance(self.when, int) and trainer.is_global_zero:
            with self.guard(pl_module):
                best, epoch = self.when == "best", trainer.current_epoch
                subject = epoch_subject(trainer, pl_module, self.run_folder, epoch, best=best)
                findings = self.inspect(subject, self.run_folder)
                if findings is not None:
                    log_media(trainer.loggers, findings.images, findings.tables, (subject.epoch or 0) - 1)

    @contextmanager
    def guard(self, pl_module: pl.LightningModule) -> Iterator[None]:
        """Keep errors and every trace of what is done within from the training."""
        try:
            with undisturbed(pl_module), torch.inference_mode(False), torch.enable_grad():
                yield
        except Exception as error:
            if not self.failed:
                log.warning(
                    "%s failed; training goes on without it (%s)", type(self).__name__, one_line(error)
                )
            self.failed = True
