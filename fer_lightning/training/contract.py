"""The contract of a LightningModule that is trained here, and what it gets: docs/own_training.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard

import pytorch_lightning as pl
import torch
from torch import Tensor

from fer_lightning.data.loader import Batch
from fer_lightning.errors import ConfigError, TrainingDivergedError


class ClassifierModule(Protocol):
    """What a LightningModule must have, beside being one.

    A batch is ``(images, labels, positions)``: uint8 levels ``[B, C, H, W]``, and int64 ``[B]`` each; the positions are
    those of the faces in the data, by which the framework finds their ids.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``[B, K]`` of float levels 0–255 ``[B, C, H, W]``, as `evaluate` and `explain` need."""

    def training_step(self, batch: Batch, batch_idx: int) -> Any:
        """Return the loss, or a mapping with it as ``loss``, as Lightning has it."""

    def validation_step(self, batch: Batch, batch_idx: int) -> Mapping[str, Tensor]:
        """Return ``{"logits": float [B, K], "labels": int64 [B]}``, a row for each face of the batch in its order."""

    def configure_optimizers(self) -> Any:
        """Return the optimizer, as Lightning has it."""


_METHODS = ("forward", "training_step", "validation_step", "configure_optimizers")
EXPECTED = 'expected {"logits": [B, K], "labels": [B]}'


class TrainedModule(pl.LightningModule):
    """What every module that is trained here has; it is set on those of other people.

    Attributes
    ----------
    class_names
        In the order of the logits.
    record
        Plain values stored in every checkpoint: what is needed to build the module again.
    predictions
        Of the last validation: ``logits`` ``[N, K]``, ``labels`` and ``positions`` ``[N]``, ordered by position.
    """

    class_names: tuple[str, ...]
    record: dict[str, Any]
    predictions: dict[str, Tensor]


def is_trained_here(module: object) -> TypeGuard[TrainedModule]:
    """Say whether a module was made by this framework, and so has what `TrainedModule` lists."""
    return {"class_names", "record", "predictions"} <= vars(module).keys()


def require_contract(module: Any, name: str) -> None:
    """Check that a module is a LightningModule with the methods of the contract.

    Raises
    ------
    ConfigError
        Naming what is missing.
    """
    if not isinstance(module, pl.LightningModule):
        raise ConfigError(f"module: {name} makes {type(module).__name__}; expected a LightningModule")
    usual = pl.LightningModule
    missing = [each for each in _METHODS if getattr(type(module), each) is getattr(usual, each)]
    if missing:
        raise ConfigError(f"module: {name} has no {', '.join(missing)}; expected {', '.join(_METHODS)}")


def read_outputs(outputs: Any, batch: Batch, classes: int, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, labels and positions of what ``validation_step`` has returned for a batch.

    Raises
    ------
    ConfigError
        It is something else.
    """
    count, found = len(batch[2]), f"module: validation_step of {name} returns"
    if not isinstance(outputs, Mapping) or not {"logits", "labels"} <= outputs.keys():
        what = f"{sorted(outputs)}" if isinstance(outputs, Mapping) else type(outputs).__name__
        raise ConfigError(f"{found} {what}; {EXPECTED}")
    logits, labels = outputs["logits"], outputs["labels"]
    shapes = tuple(tuple(getattr(each, "shape", ())) for each in (logits, labels))
    if shapes != ((count, classes), (count,)) or labels.is_floating_point():
        raise ConfigError(
            f"{found} logits of {list(shapes[0])} and labels of {list(shapes[1])} for {count} faces of {classes} "
            f"classes; {EXPECTED}, labels as whole numbers"
        )
    logits = logits.detach()
    return logits.to(torch.promote_types(logits.dtype, torch.float32)), labels.detach().long(), batch[2]


def gathered(module: pl.LightningModule, outputs: list[tuple[Tensor, Tensor, Tensor]]) -> dict[str, Tensor]:
    """Gather a split's outputs over all processes, ordered by position, each face once; the list is emptied."""
    logits, labels, positions = (torch.cat(column) for column in zip(*outputs, strict=True))
    outputs.clear()
    if module.trainer.world_size > 1:
        everywhere = module.all_gather((logits, labels, positions))
        logits, labels, positions = (part.flatten(0, 1) for part in everywhere)
    order = torch.argsort(positions, stable=True)
    positions = positions[order]
    first = torch.ones_like(positions, dtype=torch.bool)
    first[1:] = positions[1:] != positions[:-1]
    order = order[first]
    return {"logits": logits[order], "labels": labels[order], "positions": positions[first]}


def seed_epoch(seed: int, epoch: int, rank: int) -> None:
    """Draw an epoch's random numbers from the seed and the epoch alone, whatever callbacks did between."""
    torch.manual_seed(seed * 1_000_003 + epoch * 1_009 + rank)


def require_finite(loss: float, epoch: int) -> None:
    """Raise TrainingDivergedError where an epoch's training loss is no number."""
    if not torch.isfinite(torch.tensor(loss)):
        raise TrainingDivergedError(
            f"the training loss is {loss} in epoch {epoch + 1}: expected a number; "
            "lower optimizer.lr or set trainer.gradient_clip_val"
        )
