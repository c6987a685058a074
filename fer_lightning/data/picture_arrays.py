"""Pictures as arrays and as tensors: one convention for grey and colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Allocate = Callable[[tuple[int, ...]], np.ndarray]
"""Gives room for uint8 pictures of a shape: memory, or a part of a file that is mapped into it."""


def in_memory(shape: tuple[int, ...]) -> np.ndarray:
    """Give room for uint8 pictures in memory."""
    return np.zeros(shape, np.uint8)


def picture_shape(count: int, size: int, channels: int) -> tuple[int, ...]:
    """Return the shape of ``count`` square pictures: ``(N, S, S)`` in grey, ``(N, S, S, 3)`` in colour."""
    return (count, size, size) if channels == 1 else (count, size, size, channels)


LUMA = (0.299, 0.587, 0.114)
"""How much of red, green and blue there is in grey: ITU-R BT.601, as Pillow converts."""


def channels_of(images: np.ndarray) -> int:
    """Return how many channels pictures have: 1 for grey ``[N, H, W]``, 3 for colour ``[N, H, W, 3]``.

    Raises
    ------
    ValueError
        The pictures have another shape.
    """
    if images.ndim == 3:
        return 1
    if images.ndim == 4 and images.shape[3] == 3:
        return 3
    raise ValueError(f"images have shape {images.shape}; expected grey [N, H, W] or colour [N, H, W, 3]")


def as_tensor(images: np.ndarray) -> Tensor:
    """View pictures as a tensor ``[N, C, H, W]`` of the same type and memory.

    Parameters
    ----------
    images
        Grey ``[N, H, W]`` (C = 1) or colour ``[N, H, W, 3]`` (C = 3; the tensor is then channels-last in memory).

    Raises
    ------
    ValueError
        The pictures have another shape.

    Examples
    --------
    >>> as_tensor(np.zeros((2, 48, 48, 3), np.uint8)).shape
    torch.Size([2, 3, 48, 48])
    """
    import torch

    grey = channels_of(images) == 1
    tensor = torch.from_numpy(images)
    return tensor.unsqueeze(1) if grey else tensor.permute(0, 3, 1, 2)


def as_pictures(tensor: Tensor) -> np.ndarray:
    """View a tensor ``[N, C, H, W]`` as pictures, the inverse of :func:`as_tensor`.

    Returns
    -------
    numpy.ndarray
        ``[N, H, W]`` for C = 1, ``[N, H, W, 3]`` for C = 3, of the tensor's type; a CPU tensor's own memory.

    Raises
    ------
    ValueError
        The tensor has another shape.

    Examples
    --------
    >>> import torch
    >>> as_pictures(torch.zeros(2, 1, 48, 48)).shape
    (2, 48, 48)
    """
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
        raise ValueError(f"pictures have shape {tuple(tensor.shape)}; expected [N, 1, H, W] or [N, 3, H, W]")
    images = tensor.detach().cpu()
    return images.squeeze(1).numpy() if images.shape[1] == 1 else images.permute(0, 2, 3, 1).numpy()


class Selection:
    """Some pictures of an array that may be larger than memory, copied only where they are looked at.

    Parameters
    ----------
    images
        Pictures ``[N, …]``, possibly memory-mapped.
    positions
        int64 ``[M]``, which of them.

    Examples
    --------
    >>> chosen = Selection(np.arange(5)[:, None, None], np.array([4, 0, 2]))
    >>> chosen.shape, chosen[:2].ravel().tolist()
    ((3, 1, 1), [4, 0])
    """

    def __init__(self, images: np.ndarray, positions: np.ndarray) -> None:
        self.images, self.positions = images, positions
        self.dtype, self.shape = images.dtype, (len(positions), *images.shape[1:])

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Copy the pictures of some rows."""
        return np.asarray(self.images[self.positions[rows]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Copy all of them."""
        return self[:].astype(dtype or self.dtype, copy=False)


Images = np.ndarray | Selection
"""Pictures that are looked at by slices of rows."""
