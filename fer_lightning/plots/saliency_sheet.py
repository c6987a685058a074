"""Faces beside their saliency maps as a small picture that every run can afford, by Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from fer_lightning.plots.lettering import PAPER, color_bar, wrap, write_text
from fer_lightning.plots.saliency import pictures
from fer_lightning.plots.style import SEQUENTIAL

_SIDE = 96  # pixels of a face on the sheet, about
_GAP = 6
_MARGIN = 8
_TITLE = 18


def saliency_sheet(
    images: np.ndarray, maps: np.ndarray, titles: Sequence[str], caption: str, *, columns: int = 7
) -> Image.Image:
    """Draw each face above its map, and the caption under all of them.

    Parameters
    ----------
    images
        ``[N, H, W]`` grey levels 0–255.
    maps
        float ``[N, H, W]``, at least 0; each on its own scale from 0 to its 99th percentile.
    titles
        One short text a face.
    caption
        The method and what the checks say of it.
    columns
        Faces in a row.
    """
    if not len(images) == len(maps) == len(titles) or len(images) == 0:
        raise ValueError(
            f"{len(images)} images, {len(maps)} maps, {len(titles)} titles: expected one of each face"
        )
    columns = min(columns, len(images))
    factor = max(1, round(_SIDE / images.shape[2]))
    height, width = images.shape[1] * factor, images.shape[2] * factor
    whole = max(columns * (width + _GAP) - _GAP + 2 * _MARGIN, 460)
    lines = wrap(caption, 11, whole - 2 * _MARGIN)
    block = _TITLE + 2 * (height + _GAP)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (whole, _MARGIN + rows * block + 22 + 15 * len(lines) + _MARGIN), PAPER)
    canvas = ImageDraw.Draw(sheet)
    heat = np.rint(255 * pictures(images, maps, "map")).astype(np.uint8)
    for number, title in enumerate(titles):
        row, column = divmod(number, columns)
        x, y = _MARGIN + column * (width + _GAP), _MARGIN + row * block
        write_text(canvas, (x, y), title, 11, width=width)
        for step, picture in enumerate((np.asarray(images[number], np.uint8), heat[number])):
            shown = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(shown, (x, y + _TITLE + step * (height + _GAP)))
    y = _MARGIN + rows * block + 2
    sheet.paste(color_bar(SEQUENTIAL, 120, 10), (_MARGIN, y + 1))
    write_text(canvas, (_MARGIN + 126, y), "saliency, from 0 to each map's 99th percentile", 10)
    for number, line in enumerate(lines):
        write_text(canvas, (_MARGIN, y + 18 + 15 * number), line, 11)
    return sheet
