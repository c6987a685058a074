"""What explanations and callbacks need of data: pictures with labels, by their positions and batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from fer_lightning.data.datamodule import FaceDataModule


@runtime_checkable
class LabelledPictures(Protocol):
    """N pictures in a fixed order, each with its label."""

    @property
    def name(self) -> str:
        """Of the data, for titles."""

    @property
    def split(self) -> str:
        """Name of the part of the data, for titles."""

    @property
    def synthetic(self) -> bool:
        """Whether a program drew the pictures."""

    @property
    def seed(self) -> int:
        """Of the choice of pictures that every run on these data shows."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels."""

    @property
    def labels(self) -> np.ndarray:
        """Class of each picture, int64 ``[N]``."""

    @property
    def ids(self) -> np.ndarray:
        """Name of each picture, str ``[N]``."""

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return pictures by their positions: uint8 levels ``[n, H, W]``, or ``[n, H, W, 3]`` in colour."""

    def batches(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """Return all pictures in their order: levels 0–255 ``[B, C, H, W]``, labels ``[B]`` and positions ``[B]``."""


class SplitPictures:
    """A split of a data module of faces; see :class:`LabelledPictures`.

    Parameters
    ----------
    data
        The faces; they are read on first use.
    split
        ``train``, ``val`` or ``test``.
    """

    def __init__(self, data: FaceDataModule, split: str) -> None:
        self.data, self.split = data, split
        self.seed = int(data.source["split_seed"])

    @property
    def name(self) -> str:
        """Of the data."""
        return self.data.faces.name

    @property
    def synthetic(self) -> bool:
        """Whether a program drew the faces."""
        return self.data.faces.synthetic

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels."""
        return self.data.faces.class_names

    @cached_property
    def indices(self) -> np.ndarray:
        """Where the split's faces lie among all, int64 ``[N]``."""
        return self.data.faces.indices(self.split)

    @cached_property
    def labels(self) -> np.ndarray:
        """Class of each face, int64 ``[N]``."""
        return np.asarray(self.data.faces.labels[self.indices])

    @cached_property
    def ids(self) -> np.ndarray:
        """Name of each face in its source, str ``[N]``."""
        return np.asarray(self.data.faces.ids)[self.indices]

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return faces by their positions in the split, uint8 ``[n, H, W]`` or ``[n, H, W, 3]``."""
        return np.asarray(self.data.faces.images[self.indices[positions]])

    def batches(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """Return the split's levels, labels and positions batch by batch."""
        first = 0
        for images, labels, _ in self.data.split_dataloader(self.split):
            yield images, labels, torch.arange(first, first + len(labels))
            first += len(labels)
