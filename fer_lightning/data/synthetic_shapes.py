"""The three shapes that synthetic faces are drawn with, each evaluated on the pixels of a whole batch."""

from __future__ import annotations

import numpy as np

Pixels = np.ndarray
"""float32 [n, rows, S]: one number for each pixel of a batch, or of a band of its rows."""
Number = float | np.ndarray
"""One number, or one for each face: float32 [n, 1, 1]."""


def inside(distance: Pixels, softness: Number) -> Pixels:
    """Cover 1 where ``distance`` is well below 0, 0 where well above, linear across ``softness``.

    ``distance`` is overwritten.
    """
    distance *= -1 / softness
    distance += 0.5
    return np.clip(distance, 0, 1, out=distance)


def hill(x: Pixels, y: Pixels, width: Number, height: Number) -> Pixels:
    """A soft hill of height 1 at the origin that has come down to 0 at ``width`` and at ``height``."""
    level = 1 - np.square(x * (1 / width))
    level = level - np.square(y * (1 / height))
    np.maximum(level, 0, out=level)
    return np.square(level, out=level)


def paint(image: Pixels, cover: Pixels, level: Number) -> None:
    """Replace the image by ``level`` to the degree that ``cover`` says."""
    image += cover * (level - image)
