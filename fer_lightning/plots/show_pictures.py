"""Pictures of faces on axes, grey or in colour, all on the scale from black to white."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.data.picture_arrays import LUMA


def as_rgb(images: np.ndarray) -> np.ndarray:
    """Return pictures ``[N, H, W]`` or ``[N, H, W, 3]``, levels 0–255, as RGB in [0, 1], float64 ``[N, H, W, 3]``."""
    levels = images.astype(np.float64) / 255
    return levels if images.ndim == 4 else np.repeat(levels[..., None], 3, axis=-1)


def in_grey(images: np.ndarray) -> np.ndarray:
    """Return pictures without their colours, as what lies under a map in colours of its own: float ``[N, H, W]``."""
    return images if images.ndim == 3 else images @ np.array(LUMA)


def show_picture(
    ax: Axes, picture: np.ndarray, limits: tuple[float, float] = (0.0, 255.0), **options: Any
) -> None:
    """Draw a picture, or a sheet of them, ``[H, W]`` in grey or ``[H, W, 3]`` in colour; NaN stays white.

    Parameters
    ----------
    limits
        The levels that are black and white.
    options
        Of ``Axes.imshow``.
    """
    options = {"interpolation": "nearest"} | options
    if picture.ndim == 2:
        ax.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1], **options)
        return
    low, high = limits
    shares = np.nan_to_num((picture.astype(np.float64) - low) / (high - low), nan=1.0)
    ax.imshow(shares.clip(0.0, 1.0), **options)
