"""Many small pictures as one, so that a page decodes them at once."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from fer_lightning.data.picture_arrays import Images

QUALITIES: Final = (85, 75, 60, 45, 30)
LEAST: Final = 16
"""Pixels of a face that can still be told."""
_LARGEST = 16_000  # pixels of a side: a WebP has at most 16,383


@dataclass(frozen=True)
class Sprite:
    """Pictures in a grid, row by row.

    Attributes
    ----------
    address
        ``data:`` address of a WebP.
    size
        Height and width of one picture, in pixels.
    columns
        Pictures in a row.
    """

    address: str
    size: int
    columns: int


def sprite(images: Images, size: int, budget: int) -> Sprite | None:
    """Put pictures on one of at most ``budget`` bytes before it is written as text.

    Parameters
    ----------
    images
        uint8, grey ``[N, H, W]`` or colour ``[N, H, W, 3]``.
    size
        Pixels to which larger ones are scaled down. Where the best quality takes too many bytes, a lower one is taken,
        then smaller pictures.

    Returns
    -------
    Sprite or None
        None where there are no pictures, or where they do not fit at :data:`LEAST` pixels each.
    """
    if not len(images):
        return None
    columns = math.ceil(math.sqrt(len(images)))
    side = min(size, images.shape[1], _LARGEST // columns)
    while side >= LEAST:
        grid = _grid(images, side, columns)
        for quality in QUALITIES:
            buffer = io.BytesIO()
            grid.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= budget:
                text = base64.b64encode(buffer.getvalue()).decode("ascii")
                return Sprite(f"data:image/webp;base64,{text}", side, columns)
            if buffer.tell() > 3 * budget:
                break
        side = int(side * 0.75)
    return None


def _grid(images: Images, side: int, columns: int) -> Image.Image:
    rows = math.ceil(len(images) / columns)
    sheet = np.zeros((rows * side, columns * side, *images.shape[3:]), np.uint8)
    for row in range(rows):
        for column, picture in enumerate(images[row * columns : (row + 1) * columns]):
            small = picture
            if picture.shape[0] != side:
                small = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))
            sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = small
    return Image.fromarray(sheet)
