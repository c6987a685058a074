"""Measure trained classifiers on a split: one, or the average of several, and without the faces that leak."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError, DataError, nearest
from fer_lightning.evaluation.evaluation import Evaluation
from fer_lightning.evaluation.test_time_augmentation import check_views, views
from fer_lightning.messages import progress
from fer_lightning.models.size import require_any_size
from fer_lightning.runs.predictions import Predictions, average
from fer_lightning.training.build import build_data
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.contract import TrainedModule
from fer_lightning.training.metrics import classification_metrics, confusion_matrix
from fer_lightning.training.module import network_of
from fer_lightning.training.own_metrics import OwnMetrics, own_metrics


def data_of(module: TrainedModule, overrides: dict[str, Any]) -> FaceDataModule:
    """Return the data that a classifier was trained on, with ``data.…`` keys changed as given."""
    return data_from(module.record["config"], overrides)


def data_from(stored: Any, overrides: dict[str, Any]) -> FaceDataModule:
    """Return the data of a run's configuration, with ``data.…`` keys changed as given."""
    config = OmegaConf.create(stored)
    known = [f"data.{name}" for name in _keys(stored["data"])]
    for key, value in overrides.items():
        if key not in known:
            raise ConfigError(f"{key}: no such key; {nearest(key, known)}")
        OmegaConf.update(config, key, value)
    if config.data.get("path"):
        config.data.path = os.path.expanduser(config.data.path)
    return build_data(config)


def _keys(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a node, those of nodes within it with a dot."""
    for key, value in node.items():
        yield str(key)
        if isinstance(value, Mapping):
            yield from (f"{key}.{within}" for within in _keys(value))


@torch.inference_mode()
def predict_split(
    module: TrainedModule,
    data: FaceDataModule,
    split: str,
    *,
    flip: bool = False,
    crop: int | None = None,
) -> Predictions:
    """Return the logits of every face of ``split``.

    Parameters
    ----------
    module, data
        The classifier and the faces; their classes must be the same.
    split
        ``train``, ``val`` or ``test``.
    flip, crop
        Average the log-probabilities of several views of a face: see `views`.

    Raises
    ------
    DataError
        The classes differ, or the split is empty.
    ConfigError
        The net cannot see faces, or crops, of this size.
    """
    # Before the faces are read, which may take a while.
    trained = int(module.record.get("image_size", data.image_size))
    if data.image_size != trained:
        require_any_size(network_of(module), f"faces of {data.image_size} pixels", trained)
    channels = int(module.record.get("channels", data.channels))
    if data.channels != channels:
        raise ConfigError(
            f"data.channels={data.channels}: the net was trained on {channels}; expected the same"
        )
    check_views(network_of(module), data.image_size, crop)
    faces = data.faces
    if module.class_names != faces.class_names:
        raise DataError(
            f"the model knows {', '.join(module.class_names)}; the data {', '.join(faces.class_names)}"
        )
    chosen = faces.indices(split)
    if len(chosen) == 0:
        raise DataError(f"{faces.name} has no {split} faces")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = module.eval().to(device)
    parts = []
    for images, _, _ in progress(data.split_dataloader(split), f"{len(chosen):,} {split} images"):
        seen = views(images.to(device).float(), crop=crop, flip=flip)
        logits = torch.stack([module(view).log_softmax(1) for view in seen]).mean(0)
        parts.append(logits.float().cpu().numpy())
    return Predictions(
        np.concatenate(parts), faces.labels[chosen], np.asarray(faces.ids)[chosen], faces.class_names
    )


def measure(
    predictions: Predictions,
    copied: np.ndarray,
    nearly: np.ndarray,
    split: str,
    own: OwnMetrics | None = None,
) -> Evaluation:
    """Measure ``predictions`` on a split, with and without the faces that training has seen.

    ``copied`` and ``nearly``, bool ``[N]``, mark faces that have an exact copy, or a near one, in training; ``own`` are
    metrics beside the table's.
    """
    logits, labels = torch.from_numpy(predictions.logits), torch.from_numpy(np.array(predictions.labels))

    def without(left_out: np.ndarray) -> dict[str, float]:
        kept = torch.from_numpy(~left_out)
        if not kept.any():
            return {"faces": 0}
        found = classification_metrics(logits[kept], labels[kept], predictions.class_names, own)
        return {"faces": int(kept.sum())} | found

    return Evaluation(
        split=split,
        predictions=predictions,
        metrics=without(np.zeros(len(labels), bool)),
        unleaked=without(copied),
        unrelated=without(copied | nearly),
        confusion=confusion_matrix(logits, labels).numpy(),
        copied=copied,
        nearly=copied | nearly,
    )


def _knows(module: TrainedModule, data: FaceDataModule) -> bool:
    """Say whether a classifier was trained on these data; at another size than its own they count as known."""
    trained = (module.record.get("data") or {}).get("fingerprint")
    resized = data.image_size != module.record["image_size"]
    return trained is None or resized or trained == data.faces.fingerprint


def evaluate(
    checkpoints: Sequence[str | Path],
    split: str,
    overrides: dict[str, Any] | None = None,
    *,
    flip: bool = False,
    crop: int | None = None,
) -> Evaluation:
    """Evaluate one checkpoint, or the average of the class probabilities of several."""
    if not checkpoints:
        raise ConfigError("checkpoint=…: expected at least one checkpoint")
    modules = [load_classifier(path) for path in checkpoints]
    data, overrides = data_of(modules[0], overrides or {}), overrides or {}
    training: set[str] = set()
    for path, module in zip(checkpoints, modules, strict=True):
        if "data.image_size" not in overrides and module.record["image_size"] != data.image_size:
            raise ConfigError(
                f"{path}: was trained on faces of {module.record['image_size']} pixels, {checkpoints[0]} of "
                f"{data.image_size}; expected the same, or data.image_size=… for nets of any size"
            )
        if _knows(module, data):
            training.update(data_of(module, {}).training_splits)
    parts = [predict_split(module, data, split, flip=flip, crop=crop) for module in modules]
    seen = sorted(training)
    copied, nearly = data.copied_from_training(split, seen), data.nearly_copied_from_training(split, seen)
    own = own_metrics(modules[0].record["config"], modules[0].class_names)
    found = measure(average(parts) if len(parts) > 1 else parts[0], copied, nearly, split, own)
    return replace(
        found,
        data=data.faces.name,
        synthetic=data.faces.synthetic,
        trained_on=split in training,
        models=len(modules),
    )
