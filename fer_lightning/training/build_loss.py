"""Build the loss of a configuration for its training faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from fer_lightning.config.signatures import parted
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.runs.predictions import Predictions
from fer_lightning.training.distillation import soft_targets
from fer_lightning.training.loss import MultiTargetLoss, TrainingLoss
from fer_lightning.training.own_loss import own_loss


def build_loss(config: DictConfig, data: FaceDataModule, teachers: dict[str, Predictions]) -> TrainingLoss:
    """Return the loss of ``config.loss`` for the training faces of ``data``.

    Parameters
    ----------
    config
        The node ``loss``.
    teachers
        Of :func:`~fer_lightning.training.distillation.read_teachers`.

    Raises
    ------
    ConfigError
        The number of class weights is not that of the classes, or an own loss does not go with the other options.
    DataError
        The teachers do not fit the data: see :func:`soft_targets`.
    """
    targets = None if data.faces.targets is None else torch.from_numpy(np.array(data.faces.targets))
    if teachers:
        targets = soft_targets(data.faces, data.train_indices, teachers, config.teacher_share)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    weights = class_weights(plain["class_weights"], torch.from_numpy(data.class_counts()))
    if plain.get("_target_"):
        node, _ = parted(config, "loss")
        return own_loss(node, plain, weights, targets, data.num_classes)
    kind = TrainingLoss
    if data.source["label_mode"] == "multi_target":
        kind = MultiTargetLoss
        unused = {"label_smoothing": 0, "focal_gamma": 0, "class_weights": "none", "teacher": None}
        for key, usual in unused.items():
            if config[key] != usual:
                raise ConfigError(
                    f"loss.{key}={config[key]} with data.label_mode=multi_target: expected {usual}"
                )
    return kind(
        focal_gamma=config.focal_gamma,
        label_smoothing=config.label_smoothing,
        mixup=config.mixup,
        class_weights=weights,
        targets=targets,
    )


def class_weights(given: str | list[float], counts: Tensor) -> Tensor | None:
    """Return the weight of each class, float ``[C]``, or ``None`` for all alike.

    Raises
    ------
    ConfigError
        The number of weights is not that of the classes.
    """
    if given == "none":
        return None
    if given == "balanced":
        present = counts.clamp(min=1).float()
        return present.sum() / (len(present) * present)
    if len(given) != len(counts):
        raise ConfigError(f"loss.class_weights: {len(given)} weights were given, expected {len(counts)}")
    return torch.tensor([float(weight) for weight in given])
