"""The base of callbacks that inspect the model: when they do it, and that training never notices."""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import pytorch_lightning as pl
import torch
from pydantic import Field
from pytorch_lightning.callbacks import ModelCheckpoint

from fer_lightning.callbacks.averaging import averaged_weights
from fer_lightning.callbacks.predictions import kept_predictions
from fer_lightning.config.values import Count, checked
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.undisturbed import undisturbed
from fer_lightning.messages import one_line
from fer_lightning.runs.predictions import Predictions
from fer_lightning.runs.run import Run
from fer_lightning.tracking.logger import log_media
from fer_lightning.tracking.media import Picture, Table
from fer_lightning.training.checkpoints import read_checkpoint
from fer_lightning.training.module import ExpressionClassifier

log = logging.getLogger(__name__)
_read: WeakKeyDictionary[pl.Trainer, tuple[tuple[Path, int], dict[str, Any]]] = WeakKeyDictionary()
_UNVALIDATED = 512  # faces to predict where no validation has predicted any


def epoch_subject(
    module: ExpressionClassifier,
    data: FaceDataModule,
    folder: Path,
    epoch: int,
    checkpoint: Path | None = None,
    stored: dict[str, Any] | None = None,
    average: dict[str, torch.Tensor] | None = None,
) -> Subject:
    """Return what an inspection works on: a copy of the classifier, so that nothing reaches the training.

    Parameters
    ----------
    folder
        Where the validation's logits of the best epoch lie.
    epoch
        Of the weights, from 1, where no checkpoint says it.
    checkpoint, stored
        The file that holds the weights, and its contents; ``None`` for those of the module, or for the ``average``
        that was validated in their place.
    """
    # Where the validation faces are trained on, nothing is validated.
    split = "train" if data.train_on == "train_val" else "val"

    def predictions(subject: Subject) -> Predictions:
        if split == "val" and checkpoint is None and module.predictions:
            return kept_predictions(data, module)
        kept = Run(folder).predictions if split == "val" and checkpoint is not None else None
        if kept is not None:
            return kept
        return _predict_some(subject)

    weights = average if stored is None else stored["state_dict"]
    return Subject(
        lambda: _copy(module, weights),
        data,
        split,
        epoch=epoch if stored is None else int(stored["epoch"]) + 1,
        best=stored is not None,
        predict=predictions,
    )


def _copy(module: ExpressionClassifier, weights: dict[str, torch.Tensor] | None) -> ExpressionClassifier:
    """Return the classifier with ``weights``, in evaluation mode, its parameters frozen, on the same device."""
    twin = ExpressionClassifier(
        copy.deepcopy(module.model),
        copy.deepcopy(module.normalization),
        torch.nn.Identity(),
        class_names=module.class_names,
        record=module.record,
    )
    if weights is not None:
        twin.load_state_dict({key: value for key, value in weights.items() if not key.startswith("loss.")})
    return twin.to(module.device).eval().requires_grad_(False)


def _predict_some(subject: Subject) -> Predictions:
    """Predict some of the split's faces, drawn over the classes, where no validation has predicted any."""
    data, faces = subject.datamodule, subject.datamodule.faces
    split = faces.indices(subject.split)
    positions = data.subset(split, _UNVALIDATED / max(1, len(split)))
    with torch.no_grad():
        logits = subject.module(subject.tensor(faces.images[positions])).float().cpu().numpy()
    return Predictions(logits, faces.labels[positions], np.asarray(faces.ids)[positions], faces.class_names)


When = Literal["best", "end"] | Annotated[Count, Field(description="every how many epochs")]


@dataclass(frozen=True)
class Findings:
    """Results of an inspection to be logged: pictures and tables to W&B, metrics to every logger."""

    images: Mapping[str, Picture] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class InspectionCallback(pl.Callback, ABC):
    """Inspect the model now and then, without changing what is trained.

    An inspection works on a copy of the classifier and leaves the random states as they were. The first error is
    logged in one line, and training continues. With several processes only the first one inspects.

    Parameters
    ----------
    folder
        The run's folder; ``None`` takes the trainer's ``default_root_dir``.
    when
        ``best``: after training, at the best epoch (the last, where none is known to be best); ``end``: after
        training, at the last epoch; a number n: after every n-th epoch, at that epoch.
    """

    @checked("callbacks.")
    def __init__(self, folder: str | Path | None = None, when: When = "best") -> None:
        self.folder, self.when = folder, when
        self.failed = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the run's folder from the trainer, unless one was given."""
        self.folder = self.folder or trainer.default_root_dir

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
            with self.guard(pl_module):
                assert isinstance(pl_module, ExpressionClassifier)
                folder = self.run_folder / "epochs" / f"{epoch:03d}"
                data, average = trainer.datamodule, averaged_weights(trainer)  # type: ignore[attr-defined]
                subject = epoch_subject(pl_module, data, folder, epoch, average=average)
                findings = self.inspect(subject, folder)
                if findings is not None:
                    log_media(trainer.loggers, findings.images, findings.tables, (subject.epoch or 0) - 1)
                    pl_module.log_dict(dict(findings.metrics), rank_zero_only=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Inspect the best or the last epoch."""
        # Not when the fit has ended: by then Lightning has taken the model off its device and closed its loggers.
        if not isinstance(self.when, int) and trainer.is_global_zero:
            with self.guard(pl_module):
                assert isinstance(pl_module, ExpressionClassifier)
                best = best_checkpoint(trainer) if self.when == "best" else None
                stored = None if best is None else _contents(trainer, best)
                data, epoch = trainer.datamodule, trainer.current_epoch  # type: ignore[attr-defined]
                average = averaged_weights(trainer)
                subject = epoch_subject(pl_module, data, self.run_folder, epoch, best, stored, average)
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


def _contents(trainer: pl.Trainer, checkpoint: Path) -> dict[str, Any]:
    """Return a checkpoint that is there when training ends; read once for all of a run's inspections."""
    which = (checkpoint, checkpoint.stat().st_mtime_ns)
    if trainer not in _read or _read[trainer][0] != which:
        _read[trainer] = which, read_checkpoint(checkpoint)
    return _read[trainer][1]


def best_checkpoint(trainer: pl.Trainer) -> Path | None:
    """Return the checkpoint of the best epoch, if one is kept."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_path:
            path = Path(callback.best_model_path)
            if path.is_file():
                return path
    return None
