"""One batch through the net before any training, so that a net that does not fit its data is met at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fer_lightning.data.augmentation import Augmentation
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.errors import ConfigError, lacks_memory
from fer_lightning.messages import counted, one_line
from fer_lightning.training.contract import TrainedModule
from fer_lightning.training.module import ExpressionClassifier
from fer_lightning.training.rehearsal_own import rehearse_own

# What makes epochs shorter on purpose.
_SHORTENED = ("overfit_batches", "limit_train_batches", "fast_dev_run", "max_steps")


def check_shares(trainer: Mapping[str, Any], data: FaceDataModule) -> None:
    """Refuse a share of the batches that is less than one batch, under the key that was given.

    Raises
    ------
    ConfigError
        With the number of batches.
    """
    batches = {"train": _train_batches(data), "val": -(-len(data.val_indices) // data.eval_batch_size)}
    for name, count in batches.items():
        # Lightning takes the first of these that is set.
        for key in ("overfit_batches", f"limit_{name}_batches"):
            share = trainer.get(key)
            if not share:
                continue
            if isinstance(share, float) and count and int(count * share) == 0:
                raise ConfigError(
                    f"trainer.{key}={share}: is less than one of the {count} batches of {name} images; expected 1, "
                    f"or a share of at least {1 / count:.3g}"
                )
            break


def few_steps(trainer: Mapping[str, Any], data: FaceDataModule) -> str:
    """Return a hint where the batch is so large that a run has hardly any steps; empty elsewhere, or where it is meant.

    Few are one or two an epoch, and under a hundred in all.
    """
    meant = data.steps_per_epoch or any(trainer.get(key) for key in _SHORTENED)
    steps, epochs = _train_batches(data), trainer.get("max_epochs")
    total = steps * epochs if isinstance(epochs, int) and epochs > 0 else None
    if meant or steps > 2 or data.batch_size <= 8 or (total or 0) >= 100:
        return ""
    in_all = "" if total is None else f", {total} in all"
    return (
        f"{counted(steps, 'step')} an epoch{in_all}: data.batch_size={data.batch_size} of "
        f"{counted(len(data.train_indices), 'training image')}; a smaller data.batch_size trains in more steps"
    )


def _train_batches(data: FaceDataModule) -> int:
    return data.steps_per_epoch or max(1, len(data.train_indices) // data.batch_size)


def rehearse(module: TrainedModule, data: FaceDataModule) -> None:
    """Give a copy of the net the smallest batch that it may be trained on; training is not disturbed.

    Raises
    ------
    ConfigError
        The net has nothing to train, does not take the faces, has another number of outputs than the data have
        classes, or its batch norm needs a larger batch; or an own augmentation does not take the faces.
    """
    if not isinstance(module, ExpressionClassifier):
        return rehearse_own(module, data)
    faces = data.train_indices[:2]
    images = as_tensor(data.faces.images[faces]).float()
    smallest = min(data.batch_size, len(faces))
    name = f"model: {type(module.model).__name__}"
    if not any(parameter.requires_grad for parameter in module.model.parameters()):
        raise ConfigError(f"{name} has no trainable parameter; expected at least one")
    classes = module.class_names
    net = copy.deepcopy(module.model)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        inputs = module.normalization(images)
        given = f"a batch of {list(inputs.shape)} (faces, channels, height, width)"
        try:
            outputs = net.eval()(inputs)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            if lacks_memory(error):
                raise
            said = " ".join(str(error).split())
            if "view size is not compatible" in said:
                said += " Or set channels_last=false."
            raise ConfigError(f"{name} cannot take {given}: {said}") from error
        if getattr(outputs, "shape", None) != (len(images), len(classes)):
            shape = list(getattr(outputs, "shape", [])) or type(outputs).__name__
            raise ConfigError(
                f"{name} returns {shape} for {given}; expected [{len(images)}, {len(classes)}], one output for each "
                f"of the classes {', '.join(classes)}"
            )
        if not isinstance(module.augmentation, (Augmentation, nn.Identity)):
            _rehearse_augmentation(module.augmentation, images, lambda made: net(module.normalization(made)))
        try:
            net.train()(inputs[:smallest])
        except ValueError as error:
            key = "data.batch_size=1" if data.batch_size == 1 else "a single training image"
            raise ConfigError(
                f"{key}: {name} cannot be trained on it; expected at least 2 ({error})"
            ) from error


def _rehearse_augmentation(augmentation: nn.Module, images: Tensor, see: Callable[[Tensor], Tensor]) -> None:
    """Try somebody else's augmentation, and whether the net can ``see`` what it makes."""
    name = f"augmentation: {type(augmentation).__name__}"
    given = f"float levels {list(images.shape)} (faces, channels, height, width)"
    try:
        made = copy.deepcopy(augmentation).train()(images.clone())
    except Exception as error:  # whatever other people's code says of it
        raise ConfigError(f"{name} cannot take {given}: {one_line(error)}") from error
    if not isinstance(made, Tensor) or made.ndim != 4 or made.shape[:2] != images.shape[:2]:
        shape = list(made.shape) if isinstance(made, Tensor) else type(made).__name__
        raise ConfigError(f"{name} returns {shape} for {given}; expected as many faces and channels")
    if not made.is_floating_point():
        raise ConfigError(f"{name} returns {made.dtype} for {given}; expected float levels")
    try:
        see(made)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ConfigError(
            f"{name} makes {list(made.shape)}, which the net cannot take: {one_line(error)}"
        ) from error
