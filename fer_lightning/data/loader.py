"""Batches cut from pictures that lie on the device, or are sent to it batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

AHEAD = 2  # batches that are cut before they are asked for
Batch = tuple[Tensor, Tensor, Tensor]


class BatchLoader:
    """Yields ``(images, labels, positions)`` cut by index, on the device of the labels.

    A ``DataLoader`` collates picture by picture in worker processes; for 48×48 faces that costs more than
    the training step of a small net. Here a batch is one ``index_select``. Pictures that do not fit the device stay in
    the memory-mapped cache, and a thread cuts the next batches while the device works.

    The order of epoch ``e`` depends on ``seed`` and ``e`` alone, so a resumed run sees what an uninterrupted
    one would have seen.

    Parameters
    ----------
    images
        uint8 ``[N, C, H, W]``, on the device or in the computer's memory.
    labels
        int64 ``[N]`` on the device.
    indices
        int64 ``[M]``: which of the N faces belong to this loader.
    batch_size
        Faces in a batch, of each process.
    shuffle
        Draw a new order each epoch; otherwise the order of ``indices``.
    seed
        Of the order.
    steps
        Batches in an epoch; ``None`` is one pass. A longer epoch goes on with a newly shuffled pass.
    reshuffle
        Whether each epoch has an order of its own, or all have the first one's.
    rank, world_size
        Of this process: process ``rank`` takes every ``world_size``-th face.
    balanced
        Whether a pass has faces of each class equally often: see `balanced_order`.
    ahead
        Whether a thread cuts the next batches; pays where pictures are read from a disk or sent to a device.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        indices: np.ndarray,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        steps: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        reshuffle: bool = True,
        ahead: bool = False,
        balanced: bool = False,
    ) -> None:
        self.images, self.labels = images, labels
        self.indices = np.asarray(indices, dtype=np.int64)
        self.batch_size, self.shuffle, self.seed, self.steps = batch_size, shuffle, seed, steps
        self.rank, self.world_size = rank, world_size
        self.reshuffle, self.epoch, self.ahead = reshuffle, 0, ahead
        self.classes = labels.cpu().numpy()[self.indices] if balanced else None

    @property
    def sampler(self) -> BatchLoader:
        """The loader itself: Lightning tells ``loader.sampler.set_epoch`` before each epoch."""
        return self

    @property
    def batch_sampler(self) -> None:
        """Nothing: Lightning asks for it wherever there is a ``sampler``."""
        return None

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of epoch ``epoch`` for the next iteration."""
        self.epoch = epoch if self.reshuffle else 0

    def __len__(self) -> int:
        if self.steps is not None:
            return self.steps
        mine = len(self.indices) // self.world_size if self.shuffle else len(self._positions(0))
        # A training batch of one face would break batch norm, and a short one weighs its faces more.
        return max(1, mine // self.batch_size) if self.shuffle else -(-mine // self.batch_size)

    def _permutation(self, number: int) -> np.ndarray:
        random = np.random.default_rng([self.seed, number])
        if self.classes is None:
            return random.permutation(self.indices)
        return self.indices[balanced_order(self.classes, random)]

    def _positions(self, epoch: int) -> np.ndarray:
        """Return the faces of ``epoch``, in order, that this process takes."""
        if not self.shuffle:
            # Faces that come twice are dropped again by their positions when the results are gathered.
            return self._share(self.indices)
        wanted = len(self) * self.batch_size * self.world_size
        if self.steps is None:
            return self._share(self._permutation(epoch)[:wanted])
        start, size = epoch * wanted, len(self.indices)
        passes = range(start // size, -(-(start + wanted) // size))
        stream = np.concatenate([self._permutation(number) for number in passes])
        offset = start - passes.start * size
        return stream[offset : offset + wanted][self.rank :: self.world_size]

    def _share(self, order: np.ndarray) -> np.ndarray:
        """Return every ``world_size``-th face from the ``rank``-th on; the first ones fill the last round.

        Every process must make as many steps, or the others wait for it.
        """
        rounds = -(-len(order) // self.world_size)
        return np.resize(order, rounds * self.world_size)[self.rank :: self.world_size]

    def __iter__(self) -> Iterator[Batch]:
        positions = torch.from_numpy(self._positions(self.epoch)).to(self.images.device)
        parts = positions.split(self.batch_size)
        for images, chosen in self._cut_ahead(parts) if self.ahead else map(self._cut, parts):
            chosen = chosen.to(self.labels.device, non_blocking=True)
            yield images.to(self.labels.device, non_blocking=True), self.labels[chosen], chosen

    def _cut(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        # Colours lie pixel by pixel, and only what lies in one piece is cut fast.
        if self.images.is_contiguous():
            images = self.images.index_select(0, chosen)
        else:
            images = self.images.permute(0, 2, 3, 1).index_select(0, chosen).permute(0, 3, 1, 2)
        if self.labels.is_cuda and not images.is_cuda:
            images, chosen = images.pin_memory(), chosen.pin_memory()
        return images, chosen

    def _cut_ahead(self, parts: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(1, "batches") as thread:
            waiting: deque[Future[tuple[Tensor, Tensor]]] = deque()
            for part in parts:
                waiting.append(thread.submit(self._cut, part))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def balanced_order(classes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw as many positions as there are, of each class equally often.

    Of K classes, every K in a row are one of each, in random order, so that the shares are equal in a batch too. A face
    comes again only after all of its class have come.

    Parameters
    ----------
    classes
        int64 ``[M]``: the class of each face; classes without faces are not drawn.

    Returns
    -------
    numpy.ndarray
        int64 ``[M]``: positions in ``classes``.
    """
    members = [np.flatnonzero(classes == each) for each in np.unique(classes)]
    rounds = -(-len(classes) // len(members))
    columns = [
        np.concatenate([random.permutation(those) for _ in range(-(-rounds // len(those)))])[:rounds]
        for those in members
    ]
    return random.permuted(np.stack(columns, axis=1), axis=1).ravel()[: len(classes)]
