"""What callbacks that look into the model have in common: when they look, and that training never notices."""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from fer_lightning.callbacks.averaging import averaged_weights
from fer_lightning.callbacks.predictions import kept_predictions
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError
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
_UNKNOWN = 512  # faces to predict where no validation has predicted any


class View:
    """What a look sees: a copy of the classifier, so that nothing done to it reaches the training.

    Attributes
    ----------
    data
        The faces.
    folder
        Where the look writes: the run's folder, or ``epochs/<number>`` below it for a look during training.
    epoch
        Of the weights, from 1.
    words
        Which epoch that is, for a title: ``best epoch 4``.
    checkpoint, stored
        The file that holds the weights, and its contents; ``None`` for those of the module, or for the ``average``
        that was validated in their place.
    """

    def __init__(
        self,
        module: ExpressionClassifier,
        data: FaceDataModule,
        folder: Path,
        epoch: int,
        checkpoint: Path | None = None,
        stored: dict[str, Any] | None = None,
        average: dict[str, torch.Tensor] | None = None,
    ) -> None:
        self.data, self.folder, self.checkpoint = data, folder, checkpoint
        self._module, self._stored, self._average = module, stored, average
        self.epoch = int(self._stored["epoch"]) + 1 if self._stored else epoch
        self.words = f"{'best epoch' if self._stored else 'epoch'} {self.epoch}"

    @property
    def split(self) -> str:
        """The faces to look at: ``val``, or ``train`` where the validation faces are trained on."""
        return "train" if self.data.train_on == "train_val" else "val"

    @property
    def title(self) -> str:
        """Data, split and epoch, for a figure."""
        faces = self.data.faces
        return f"{faces.name}{' (drawn by a program)' if faces.synthetic else ''}, {self.split}, {self.words}"

    @cached_property
    def module(self) -> ExpressionClassifier:
        """The classifier in evaluation mode, its parameters frozen, on the device of the training."""
        module = self._module
        twin = ExpressionClassifier(
            copy.deepcopy(module.model),
            copy.deepcopy(module.normalization),
            torch.nn.Identity(),
            class_names=module.class_names,
            record=module.record,
        )
        weights = self._average if self._stored is None else self._stored["state_dict"]
        if weights is not None:
            known = {key: value for key, value in weights.items() if not key.startswith("loss.")}
            twin.load_state_dict(known)
        return twin.to(module.device).eval().requires_grad_(False)

    @cached_property
    def predictions(self) -> Predictions:
        """Logits of the split's first faces, in their order: of all of them wherever they were validated."""
        if self.split == "val" and self.checkpoint is None and self._module.predictions:
            return kept_predictions(self.data, self._module)
        if self.split == "val" and self.checkpoint is not None:
            kept = Run(self.folder).predictions
            if kept is not None:
                return kept
        faces = self.data.faces
        chosen = faces.indices(self.split)[:_UNKNOWN]
        with torch.no_grad():
            images = torch.from_numpy(faces.images[chosen]).unsqueeze(1).to(self.module.device)
            logits = self.module(images).float().cpu().numpy()
        return Predictions(logits, faces.labels[chosen], np.asarray(faces.ids)[chosen], faces.class_names)

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return faces by their positions in :attr:`predictions`, uint8 ``[N, 1, H, W]``."""
        chosen = self.data.faces.indices(self.split)[positions]
        return np.asarray(self.data.faces.images[chosen])[:, None]


@dataclass(frozen=True)
class Seen:
    """What a look found, to be logged: pictures and tables to W&B, metrics to every logger."""

    images: Mapping[str, Picture] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class Look(pl.Callback, ABC):
    """Looks into the model now and then, and never changes what is trained.

    A look works on a copy of the classifier; random states are as before when it ends. Whatever goes wrong in it is
    said once, in one line, and training goes on. With several processes only the first one looks.

    Parameters
    ----------
    folder
        The run's folder.
    when
        ``best``: after training, at the best epoch (the last, where none is known to be best); ``end``: after
        training, at the last epoch; a number n: after every n-th epoch, at that epoch.

    Raises
    ------
    ConfigError
        ``when`` is none of these.
    """

    def __init__(self, folder: str | Path, when: int | str = "best") -> None:
        whole = isinstance(when, int) and not isinstance(when, bool) and when >= 1
        if not whole and when not in ("best", "end"):
            raise ConfigError(f"when={when}: expected best, end, or every how many epochs")
        self.folder, self.when = Path(folder), when
        self.failed = False

    @abstractmethod
    def look(self, view: View) -> Seen | None:
        """Write what is seen into ``view.folder`` and return what is to be logged."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, if it is this epoch's turn."""
        epoch = trainer.current_epoch + 1
        if isinstance(self.when, int) and epoch % self.when == 0 and trainer.is_global_zero:
            with self._guard(pl_module):
                assert isinstance(pl_module, ExpressionClassifier)
                folder = self.folder / "epochs" / f"{epoch:03d}"
                data, average = trainer.datamodule, averaged_weights(trainer)  # type: ignore[attr-defined]
                seen = self.look(View(pl_module, data, folder, epoch, average=average))
                if seen is not None:
                    log_media(trainer.loggers, seen.images, seen.tables)
                    pl_module.log_dict(dict(seen.metrics), rank_zero_only=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the best or at the last epoch."""
        # Not when the fit has ended: by then Lightning has taken the model off its device and closed its loggers.
        if not isinstance(self.when, int) and trainer.is_global_zero:
            with self._guard(pl_module):
                assert isinstance(pl_module, ExpressionClassifier)
                best = best_checkpoint(trainer) if self.when == "best" else None
                stored = None if best is None else _contents(trainer, best)
                data, epoch = trainer.datamodule, trainer.current_epoch  # type: ignore[attr-defined]
                average = averaged_weights(trainer)
                seen = self.look(View(pl_module, data, self.folder, epoch, best, stored, average))
                if seen is not None:
                    log_media(trainer.loggers, seen.images, seen.tables)

    @contextmanager
    def _guard(self, pl_module: pl.LightningModule) -> Iterator[None]:
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
    """Return a checkpoint that is there when training ends; each run's looks read it once."""
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
