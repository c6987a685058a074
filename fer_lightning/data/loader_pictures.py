"""The pictures of any loader of batches ``(images, labels)``, such as a trainer's validation loader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler

from fer_lightning.data.input_range import InputRange, Scale, range_of
from fer_lightning.data.picture_arrays import as_pictures
from fer_lightning.errors import DataError

_KEPT_BATCH = 256


class LoaderPictures:
    """Pictures that come as batches ``(images, labels, …)``; see `LabelledPictures`.

    Single pictures are read again from the dataset of a ``DataLoader`` that neither shuffles nor streams. What any
    other loader gives is kept in memory, as bytes, so that the order stays.

    Parameters
    ----------
    loader
        Gives images ``[B, C, H, W]`` or ``[B, H, W]`` and labels int ``[B]``.
    class_names
        By default the dataset's ``classes``, where it has some.
    input_range
        What is black and what is white in the images: two numbers, or two sequences of one a channel. By default what
        `range_of` makes of the first batch.
    name
        Of the data; by default that of the dataset's class.
    split
        For titles.
    seed
        See `LabelledPictures`.
    limit
        Batches that are read at most.
    """

    synthetic = False

    def __init__(
        self,
        loader: Iterable[Any],
        *,
        class_names: Sequence[str] = (),
        input_range: InputRange | None = None,
        name: str | None = None,
        split: str = "val",
        seed: int = 0,
        limit: int | None = None,
    ) -> None:
        self.loader, self.split, self.seed, self.limit = loader, split, seed, limit
        self._scale = None if input_range is None else Scale.of(input_range)
        dataset = getattr(loader, "dataset", loader)
        self.name = type(dataset).__name__ if name is None else name
        self._class_names = tuple(map(str, class_names or getattr(dataset, "classes", ())))
        self._labels: np.ndarray | None = None
        self._kept: Tensor | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels; empty where neither the program nor the dataset says them."""
        return self._class_names

    @property
    def labels(self) -> np.ndarray:
        """Class of each picture, int64 ``[N]``."""
        if self._labels is None:
            for _ in self.batches():
                pass
        assert self._labels is not None
        return self._labels

    @cached_property
    def ids(self) -> np.ndarray:
        """The dataset's ``ids``, or numbers from 0; str ``[N]``."""
        known = getattr(getattr(self.loader, "dataset", None), "ids", None)
        if known is None or not self._rereads:
            return np.arange(len(self.labels)).astype(str)
        return np.asarray(known).astype(str)[: len(self.labels)]

    @cached_property
    def scale(self) -> Scale:
        """What is black and what is white in the loader's images."""
        return self._scale or Scale.of(range_of(next(self._read())[0]))

    @property
    def _rereads(self) -> bool:
        loader = self.loader
        return (
            isinstance(loader, DataLoader)
            and not isinstance(loader.dataset, IterableDataset)
            and isinstance(loader.sampler, SequentialSampler)
            and loader.batch_size is not None
        )

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return pictures by their positions, as bytes: uint8 ``[n, H, W]`` or ``[n, H, W, 3]``."""
        if self._rereads:
            loader: Any = self.loader
            items = [loader.dataset[int(position)] for position in positions]
            return as_pictures(_bytes(self.scale.levels(_pair(loader.collate_fn(items))[0])))
        if self._kept is None:
            _ = self.labels
        assert self._kept is not None
        return as_pictures(self._kept[torch.as_tensor(positions)])

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Return all pictures in their order: levels 0–255, labels and positions."""
        if self._kept is not None:
            labels = torch.from_numpy(self.labels)
            positions = torch.arange(len(labels))
            parts = (each.split(_KEPT_BATCH) for each in (self._kept, labels, positions))
            yield from zip(*parts, strict=True)
            return
        read, kept, first = [], [], 0
        for images, labels in self._read():
            levels = self.scale.levels(images)
            if not self._rereads:
                kept.append(_bytes(levels))
            read.append(labels)
            yield levels, labels, torch.arange(first, first + len(labels))
            first += len(labels)
        if not read:
            raise DataError(f"{self.name}: the {self.split} loader gives no batch")
        self._labels = torch.cat(read).numpy()
        self._kept = torch.cat(kept) if kept else None

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (_pair(batch) for batch in islice(iter(self.loader), self.limit))


def _bytes(levels: Tensor) -> Tensor:
    return levels.round().clamp(0, 255).byte().cpu()


def _pair(batch: Any) -> tuple[Tensor, Tensor]:
    """Return images ``[B, C, H, W]`` and labels int64 ``[B]`` of a batch."""
    pair = batch[:2] if isinstance(batch, (tuple, list)) else ()
    if len(pair) == 2 and all(isinstance(each, Tensor) for each in pair):
        images, labels = pair
        images = images.unsqueeze(1) if images.ndim == 3 else images
        whole = not labels.is_floating_point() and labels.shape == images.shape[:1]
        if images.ndim == 4 and images.shape[1] in (1, 3) and whole:
            return images, labels.long().cpu()
    shapes = [list(each.shape) if isinstance(each, Tensor) else type(each).__name__ for each in pair]
    raise DataError(
        f"a batch of {type(batch).__name__} {shapes or ''}: expected images [B, 1, H, W] or [B, 3, H, W] and labels, "
        "whole numbers [B]; a method labelled_pictures() of the module or data module may give others"
    )
