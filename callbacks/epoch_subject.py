"""What an inspection looks at: a copy of the classifier with the weights of an epoch, and pictures to look at it on."""

from __future__ import annotations

import copy
import logging
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from fer_lightning.callbacks.averaging import averaged_weights
from fer_lightning.callbacks.checkpoint import RunCheckpoint
from fer_lightning.callbacks.predictions import kept_predictions
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.input_range import LEVELS, Scale, taking_levels
from fer_lightning.data.labelled_pictures import LabelledPictures, SplitPictures
from fer_lightning.data.loader_pictures import LoaderPictures
from fer_lightning.errors import DataError
from fer_lightning.evaluation.predict_pictures import predict_pictures
from fer_lightning.explain.subject import Subject
from fer_lightning.runs.predictions import Predictions
from fer_lightning.runs.run import Run
from fer_lightning.training.checkpoints import read_checkpoint
from fer_lightning.training.contract import is_trained_here
from fer_lightning.training.module import ExpressionClassifier, network_weights

log = logging.getLogger(__name__)
_UNVALIDATED = 512  # faces to predict where no validation has predicted any
# What several inspections of a trainer share: a checkpoint's contents, the pictures, the predictions of an epoch.
_Key = tuple[Path, int]
_read: WeakKeyDictionary[pl.Trainer, tuple[_Key, dict[str, Any] | None]] = WeakKeyDictionary()
_pictures: WeakKeyDictionary[pl.Trainer, tuple[Any, LabelledPictures]] = WeakKeyDictionary()
_predicted: WeakKeyDictionary[pl.Trainer, tuple[tuple[Path | None, int], Predictions]] = WeakKeyDictionary()


def epoch_subject(
    trainer: pl.Trainer, module: pl.LightningModule, folder: Path, epoch: int, *, best: bool = False
) -> Subject:
    """Return what an inspection works on: a copy of the classifier, so that nothing reaches the training.

    Parameters
    ----------
    module
        Any Lightning module whose ``forward`` maps images, as the validation's loader gives them, to logits ``[N, K]``.
        It may have ``class_names``, ``input_range`` and ``labelled_pictures()``: see docs/explanations.md.
    folder
        Where the validation's logits of the best epoch lie.
    epoch
        Of the weights, from 1, where no checkpoint says it.
    best
        Look at the best checkpoint, if one is kept; else at the module's weights, or at their average where that was
        validated in their place.
    """
    pictures = pictures_of(trainer, module)
    checkpoint = best_checkpoint(trainer) if best else None
    stored = None if checkpoint is None else _contents(trainer, module, checkpoint)
    checkpoint = checkpoint if stored is not None else None
    weights = averaged_weights(trainer) if stored is None else stored["state_dict"]

    def predictions(subject: Subject) -> Predictions:
        if isinstance(pictures, SplitPictures) and is_trained_here(module):
            if pictures.split == "val" and checkpoint is None and module.predictions:
                return kept_predictions(pictures.data, module)
            kept = Run(folder).predictions if pictures.split == "val" and checkpoint is not None else None
            return _predict_some(subject, pictures) if kept is None else kept
        key = checkpoint, trainer.global_step
        if trainer not in _predicted or _predicted[trainer][0] != key:
            found = predict_pictures(subject.module, pictures)
            _predicted[trainer] = key, replace(found, class_names=subject.class_names)
        return _predicted[trainer][1]

    return Subject(
        lambda: _copy(module, weights, pictures),
        pictures,
        epoch=epoch if stored is None else int(stored["epoch"]) + 1,
        best=stored is not None,
        predict=predictions,
    )


def pictures_of(trainer: pl.Trainer, module: pl.LightningModule) -> LabelledPictures:
    """Return the pictures that a trainer validates on, or, of faces that it trains on altogether, the training faces.

    They are what ``labelled_pictures()`` of the data module or the module returns, else those of the first validation
    loader.

    Raises
    ------
    DataError
        Nothing is validated.
    """
    data = getattr(trainer, "datamodule", None)
    if isinstance(data, FaceDataModule):
        # Where the validation faces are trained on, nothing is validated.
        return SplitPictures(data, "train" if data.train_on == "train_val" else "val")
    loaders: Any = trainer.val_dataloaders
    loader = next(iter(loaders), None) if isinstance(loaders, (list, tuple)) else loaders
    source: Any = next((each for each in (data, module) if hasattr(each, "labelled_pictures")), loader)
    if source is None:
        raise DataError("no validation loader: expected one, or a method labelled_pictures() of the module")
    # Kept from epoch to epoch: those of a loader that shuffles lie in memory.
    if trainer not in _pictures or _pictures[trainer][0] is not source:
        given = source is not loader
        found = source.labelled_pictures() if given else _loader_pictures(trainer, module, loader)
        _pictures[trainer] = source, found
    return _pictures[trainer][1]


def _loader_pictures(trainer: pl.Trainer, module: pl.LightningModule, loader: Any) -> LoaderPictures:
    limit = trainer.num_val_batches[0]
    return LoaderPictures(
        loader,
        class_names=getattr(module, "class_names", None) or (),
        input_range=getattr(module, "input_range", None),
        limit=int(limit) if limit != float("inf") else None,
    )


def _copy(
    module: pl.LightningModule, weights: dict[str, torch.Tensor] | None, pictures: LabelledPictures
) -> nn.Module:
    """Return the classifier with ``weights``, in evaluation mode, its parameters frozen, on the same device."""
    if not isinstance(module, ExpressionClassifier):
        return _foreign_copy(module, weights, pictures)
    twin = ExpressionClassifier(
        copy.deepcopy(module.model),
        copy.deepcopy(module.normalization),
        torch.nn.Identity(),
        class_names=module.class_names,
        record=module.record,
    )
    if weights is not None:
        twin.load_state_dict(network_weights(weights))
    return twin.to(module.device).eval().requires_grad_(False)


def _foreign_copy(
    module: pl.LightningModule, weights: dict[str, torch.Tensor] | None, pictures: LabelledPictures
) -> nn.Module:
    """Return any Lightning module as a network that takes levels and knows its classes' names."""
    twin: nn.Module = copy.deepcopy(module)
    if weights is not None:
        twin.load_state_dict(weights)
    twin = twin.to(module.device).eval().requires_grad_(False)
    given = Scale.of(getattr(module, "input_range", None) or LEVELS)
    network = taking_levels(twin, pictures.scale if isinstance(pictures, LoaderPictures) else given)
    images, _, _ = next(iter(pictures.batches()))
    with torch.no_grad():
        logits = network(images[:1].float().to(module.device))
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        shape = list(logits.shape) if isinstance(logits, torch.Tensor) else ""
        raise DataError(
            f"forward of {type(module).__name__} gives {type(logits).__name__} {shape}: expected logits [N, K]"
        )
    names = pictures.class_names or getattr(module, "class_names", None) or range(logits.shape[1])
    if len(names) != logits.shape[1]:
        raise DataError(f"{len(names)} class names for {logits.shape[1]} logits: expected one each")
    network.class_names = tuple(map(str, names))  # type: ignore[assignment]
    return network


def _predict_some(subject: Subject, pictures: SplitPictures) -> Predictions:
    """Predict some of the split's faces, drawn over the classes, where no validation has predicted any."""
    data, faces, split = pictures.data, pictures.data.faces, pictures.indices
    positions = data.subset(split, _UNVALIDATED / max(1, len(split)))
    with torch.no_grad():
        logits = subject.module(subject.tensor(faces.images[positions])).float().cpu().numpy()
    return Predictions(logits, faces.labels[positions], np.asarray(faces.ids)[positions], faces.class_names)


def _contents(trainer: pl.Trainer, module: pl.LightningModule, checkpoint: Path) -> dict[str, Any] | None:
    """Return a checkpoint that is there when training ends; read once for all of a run's inspections.

    ``None`` for one of another program that holds more than tensors and plain values, which are never unpickled.
    """
    which = (checkpoint, checkpoint.stat().st_mtime_ns)
    if trainer not in _read or _read[trainer][0] != which:
        if is_trained_here(module):
            _read[trainer] = which, read_checkpoint(checkpoint)
        else:
            try:
                stored = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
            except pickle.UnpicklingError:
                log.warning(
                    "%s holds more than tensors and plain values, which is never loaded: the last epoch is looked at",
                    checkpoint.name,
                )
                stored = None
            _read[trainer] = which, stored
    return _read[trainer][1]


def best_checkpoint(trainer: pl.Trainer) -> Path | None:
    """Return the checkpoint of the best epoch, if one is kept."""
    for callback in trainer.checkpoint_callbacks:
        path = getattr(callback, "best_model_path", "")
        if getattr(callback, "monitor", None) and path and Path(path).is_file():
            return Path(path)
    return None


def is_best_so_far(trainer: pl.Trainer) -> bool:
    """Return whether the epoch that ends is the best so far: its checkpoint is kept after all other callbacks."""
    kept = (callback for callback in trainer.checkpoint_callbacks if isinstance(callback, RunCheckpoint))
    return any(callback.improved(trainer.callback_metrics) for callback in kept)


def folder_of(trainer: pl.Trainer) -> Path:
    """Return where a run's files go: its folder, or in another program that of its first logger.

    Call it in every process.
    """
    ours = isinstance(getattr(trainer, "datamodule", None), FaceDataModule)
    return Path((None if ours else trainer.log_dir) or trainer.default_root_dir)
