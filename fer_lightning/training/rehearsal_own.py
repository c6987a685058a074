"""One batch through a LightningModule of somebody else before any training: does it keep the contract?"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.loader import Batch
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.errors import ConfigError, UserError
from fer_lightning.messages import one_line
from fer_lightning.training.contract import TrainedModule, read_outputs


def rehearse_own(module: TrainedModule, data: FaceDataModule) -> None:
    """Call the methods of the contract with two faces, on a copy; training is not disturbed.

    A step that asks for its trainer, which is not there yet, is left to the training itself.

    Raises
    ------
    ConfigError
        A method fails, or returns something else than the contract says.
    """
    name, classes = type(module).__name__, len(module.class_names)
    faces = data.train_indices[: min(2, data.batch_size)]
    images, labels = (
        as_tensor(data.faces.images[faces]),
        torch.from_numpy(data.faces.labels[faces].copy()).long(),
    )
    batch: Batch = (images, labels, torch.from_numpy(faces.copy()))
    twin = copy.deepcopy(module)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning warns of what is logged without a trainer
        with torch.no_grad():
            logits = _called(name, "forward", lambda: twin.eval()(images.float()))
            if getattr(logits, "shape", None) != (len(faces), classes):
                shape = list(getattr(logits, "shape", [])) or type(logits).__name__
                raise ConfigError(
                    f"module: forward of {name} returns {shape} for {len(faces)} faces; expected logits "
                    f"[{len(faces)}, {classes}], one for each of the classes {', '.join(module.class_names)}"
                )
            outputs = _called(name, "validation_step", lambda: twin.validation_step(batch, 0))
            if outputs is not _NEEDS_TRAINER:
                read_outputs(outputs, batch, classes, name)
        if module.automatic_optimization:
            loss = _called(name, "training_step", lambda: twin.train().training_step(batch, 0))
            loss = loss.get("loss") if isinstance(loss, Mapping) else loss
            right = isinstance(loss, Tensor) and loss.numel() == 1 and loss.requires_grad
            if loss is not _NEEDS_TRAINER and not right:
                raise ConfigError(
                    f"module: training_step of {name} returns {type(loss).__name__}; expected a loss with a gradient"
                )


_NEEDS_TRAINER = object()


def _called(name: str, method: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except UserError:
        raise
    except Exception as error:  # whatever other people's code says of it
        if "not attached to a `Trainer`" in str(error):
            return _NEEDS_TRAINER
        raise ConfigError(
            f"module: {method} of {name} fails on a batch of faces: {one_line(error)}"
        ) from error
