"""Faces beside their saliency maps and masked to what is salient, with what the checks say of the method."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.lettering import LINE, Lettering, letter
from fer_lightning.plots.show_pictures import as_rgb, in_grey
from fer_lightning.plots.style import SEQUENTIAL, figure_style

PARTS: Final = ("face", "map", "masked", "overlay")
SHARE: Final = 0.2  # of the pixels, the most salient ones: what a masked face keeps
_GAP = 0.06  # between pictures, in widths of one
_SIDE = 96  # pixels of a picture at 100 dots an inch, about: a whole number for each of its own
_TITLE = 15  # letters that fit above a face
_LEAST_WIDTH = 4.6  # inches, so that a caption under one face is no tower of words
_LETTERS_PER_INCH = 15.5
_NOT_KEPT = np.array([0.87, 0.91, 0.95])  # no grey: a grey face's own pixels are told from what was masked


def scaled(maps: np.ndarray) -> np.ndarray:
    """Bring each map ``[N, H, W]`` to [0, 1] by its own 99th percentile; a blank map stays 0."""
    high = np.percentile(maps, 99, axis=(1, 2), keepdims=True)
    high = np.where(high > 0, high, np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-30))
    return np.asarray(np.clip(maps / high, 0.0, 1.0))


def salient_pixels(maps: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Return the most salient ``share`` of each map's pixels, bool ``[N, H, W]``; pixels of 0 are never salient.

    Raises
    ------
    ValueError
        ``share`` is not between 0 and 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}: expected a share of the pixels above 0 and at most 1")
    values = maps.reshape(len(maps), -1)
    kept = max(1, round(share * values.shape[1]))
    order = np.argsort(-values, axis=1, kind="stable")[:, :kept]
    salient = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(salient, order, True, axis=1)
    return (salient & (values > 0)).reshape(maps.shape)


def pictures(images: np.ndarray, maps: np.ndarray, part: str, share: float = SHARE) -> np.ndarray:
    """Return one part of the figure, RGB in [0, 1], float64 ``[N, H, W, 3]``.

    Parameters
    ----------
    images, maps
        ``[N, H, W]`` or ``[N, H, W, 3]``: levels 0–255; and ``[N, H, W]``: values of at least 0.
    part
        ``face``; ``map``; ``masked``: the face's most salient pixels; ``overlay``: the map over the face
        in grey, the more opaque the more salient.
    share
        Of the pixels that a masked face keeps.
    """
    if part not in PARTS:
        raise ValueError(f"part={part}: expected one of {', '.join(PARTS)}")
    faces = as_rgb(images)
    if part == "face":
        return faces
    if part == "masked":
        return np.where(salient_pixels(maps, share)[..., None], faces, _NOT_KEPT)
    strength = scaled(maps)
    heat = mpl.colormaps[SEQUENTIAL](strength)[..., :3]
    if part == "map":
        return np.asarray(heat)
    opacity = 0.75 * strength[..., None]
    return np.asarray((1 - opacity) * as_rgb(in_grey(images)) + opacity * heat)


def plot_saliency(
    images: np.ndarray,
    maps: np.ndarray,
    titles: Sequence[str],
    *,
    verdict: str | None = None,
    parts: Sequence[str] = ("face", "map", "masked"),
    share: float = SHARE,
    note: str = "",
    columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Draw faces in columns and their parts in rows; one face alone has its parts side by side.

    Parameters
    ----------
    images, maps
        ``[N, H, W]`` or ``[N, H, W, 3]``: levels 0–255; and ``[N, H, W]``: saliency of at least 0, each on its own
        scale.
    titles
        One short text a face; its line breaks stay.
    verdict
        The caption: what the checks say of the method (``TrustReport.caption``); without one, "not checked".
    parts, share
        See :func:`pictures`.
    note
        What else the caption says: the data, the method's settings.
    columns
        Faces in a row.
    ax
        Where to draw; by default a new figure that fits.

    Raises
    ------
    ValueError
        There is nothing to draw, or images, maps and titles are not one each.
    """
    if not len(images) == len(maps) == len(titles) or len(images) == 0:
        raise ValueError(
            f"{len(images)} images, {len(maps)} maps, {len(titles)} titles: expected one of each image"
        )
    grid = np.stack([pictures(images, maps, part, share) for part in parts])
    above, beside = list(titles), [_part_name(part, share) for part in parts]
    if len(images) == 1:
        grid, above, beside = grid.swapaxes(0, 1), beside, above
    width = images.shape[2]
    inch = 100 / max(1, round(_SIDE / width))  # in pixels of a face
    sheet, texts = _sheet(grid, above, beside, columns, 8 * LINE * inch)
    wide, tall = sheet.shape[1], sheet.shape[0]
    with figure_style():
        left = math.ceil((0.1 + 8 * LINE * _lines(beside)) * inch)  # whole pixels, so that faces stay sharp
        right = math.ceil(max(wide + 0.1 * inch, _LEAST_WIDTH * inch - left))
        caption = _caption(verdict, note, right / inch)
        bottom = math.ceil(tall + (0.22 + 8 * LINE * _lines([caption])) * inch)
        if ax is None:
            ax = Figure(figsize=((left + right) / inch, bottom / inch)).add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        ax.imshow(sheet, extent=(0, wide, tall, 0), interpolation="nearest")
        letter(ax, [*texts, Lettering(0, bottom - 0.12 * inch, caption)])
        ax.set_xlim(-left, right)
        ax.set_ylim(bottom, 0)
    return ax


def _lines(texts: Sequence[str]) -> int:
    return max(text.count("\n") for text in texts) + 1


def _part_name(part: str, share: float) -> str:
    return {"face": "image", "map": "map", "overlay": "map on image"}.get(part, f"top {100 * share:g} %")


def _caption(verdict: str | None, note: str, width: float) -> str:
    lines = [verdict or "not checked", note]
    return "\n".join(textwrap.fill(line, int(width * _LETTERS_PER_INCH)) for line in lines if line)


def _sheet(
    grid: np.ndarray, above: list[str], beside: list[str], columns: int, line: float
) -> tuple[np.ndarray, list[Lettering]]:
    """Put pictures ``[rows, N, H, W, 3]`` on one, with texts of ``line`` pixels a line above and beside them."""
    rows, count, height, width = grid.shape[:4]
    columns, gap, head = min(columns, count), max(1, round(_GAP * width)), math.ceil(line * _lines(above))
    block = head + rows * (height + gap)
    sheet = np.ones((-(-count // columns) * block - gap, columns * (width + gap) - gap, 3))
    texts = []
    for number, title in enumerate(above):
        top, left = number // columns * block + head, number % columns * (width + gap)
        short = "\n".join(shortened(text, _TITLE) for text in title.split("\n"))
        texts.append(Lettering(left + width / 2, top - line / 2, short, align=0.5))
        for row, name in enumerate(beside):
            y = top + row * (height + gap)
            sheet[y : y + height, left : left + width] = grid[row, number]
            if left == 0:
                texts.append(Lettering(-line / 2, y + height / 2, name, align=0.5, angle=90))
    return sheet, texts
