"""Faces beside their saliency maps and masked to what is salient, with what the checks say of the method."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from fer_lightning.plots.style import SEQUENTIAL, figure_style, new_axes

PARTS: Final = ("face", "map", "masked", "overlay")
SHARE: Final = 0.2  # of the pixels, the most salient ones: what a masked face keeps
_GAP = 0.06  # between pictures, in widths of one
_CELL = 1.15  # inches
_LEAST_WIDTH = 4.6  # inches, so that a caption under one face is no tower of words
_LETTERS_PER_INCH = 15.5
_NOT_KEPT = np.array([0.87, 0.91, 0.95])  # no grey: a face's own pixels are told from what was masked


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
        ``[N, H, W]``: grey levels 0–255, and values of at least 0.
    part
        ``face``; ``map``; ``masked``: the face's most salient pixels; ``overlay``: the map over the face, the
        more opaque the more salient.
    share
        Of the pixels that a masked face keeps.
    """
    if part not in PARTS:
        raise ValueError(f"part={part}: expected one of {', '.join(PARTS)}")
    grey = np.repeat(images[..., None].astype(np.float64) / 255, 3, axis=-1)
    if part == "face":
        return grey
    if part == "masked":
        return np.where(salient_pixels(maps, share)[..., None], grey, _NOT_KEPT)
    strength = scaled(maps)
    heat = mpl.colormaps[SEQUENTIAL](strength)[..., :3]
    if part == "map":
        return np.asarray(heat)
    opacity = 0.75 * strength[..., None]
    return np.asarray((1 - opacity) * grey + opacity * heat)


def plot_saliency(
    images: np.ndarray,
    maps: np.ndarray,
    titles: Sequence[str],
    *,
    verdict: str | None = None,
    parts: Sequence[str] = ("face", "map", "masked"),
    share: float = SHARE,
    note: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw faces in columns and their parts in rows; one face alone has its parts side by side.

    Parameters
    ----------
    images, maps
        ``[N, H, W]``: grey levels 0–255, and saliency of at least 0, each on its own scale.
    titles
        One short text a face; its line breaks stay.
    verdict
        The caption: what the checks say of the method (``TrustReport.caption``); without one, "not checked".
    parts, share
        See :func:`pictures`.
    note
        What else the caption says: the data, the method's settings.
    ax
        Where to draw; by default a new figure that fits.

    Raises
    ------
    ValueError
        There is nothing to draw, or images, maps and titles are not one each.
    """
    if not len(images) == len(maps) == len(titles) or len(images) == 0:
        raise ValueError(
            f"{len(images)} images, {len(maps)} maps, {len(titles)} titles: expected one of each face"
        )
    grid = [pictures(images, maps, part, share) for part in parts]
    names = [_part_name(part, share) for part in parts]
    alone = len(images) == 1
    cells = [[part[0] for part in grid]] if alone else [list(part) for part in grid]
    columns, rows = len(cells[0]), len(cells)
    lines = max(title.count("\n") + 1 for title in titles)
    with figure_style():
        if ax is None:
            width = max(_CELL * columns + 0.5, _LEAST_WIDTH)
            caption = _caption(verdict, note, width)
            height = _CELL * rows * images.shape[1] / images.shape[2]
            ax = new_axes(width, height + 0.17 * (lines + caption.count("\n") + 2) + 0.15)
        else:
            caption = _caption(verdict, note, _width_of(ax))
        _draw(ax, cells, names if alone else list(titles), list(titles) if alone else names)
        ax.set_xlabel(caption, fontsize=8, labelpad=6)
    return ax


def _part_name(part: str, share: float) -> str:
    return {"face": "face", "map": "map", "overlay": "map on face"}.get(part, f"top {100 * share:g} %")


def _caption(verdict: str | None, note: str, width: float) -> str:
    lines = [verdict or "not checked", note]
    return "\n".join(textwrap.fill(line, int(width * _LETTERS_PER_INCH)) for line in lines if line)


def _width_of(ax: Axes) -> float:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return float(ax.get_position().width * figure.get_size_inches()[0])


def _draw(ax: Axes, cells: list[list[np.ndarray]], above: list[str], beside: list[str]) -> None:
    """Draw pictures in a grid of unit width, with texts above the columns and beside the rows."""
    tall = cells[0][0].shape[0] / cells[0][0].shape[1]
    for row, line in enumerate(cells):
        for column, picture in enumerate(line):
            left, top = column * (1 + _GAP), row * (tall + _GAP)
            ax.imshow(picture, extent=(left, left + 1, top + tall, top), interpolation="nearest")
    for column, text in enumerate(above):
        ax.text(column * (1 + _GAP) + 0.5, -0.05, text, ha="center", va="bottom", fontsize=8)
    for row, text in enumerate(beside):
        ax.text(-0.06, row * (tall + _GAP) + tall / 2, text, ha="right", va="center", rotation=90, fontsize=8)
    ax.set_xlim(0, len(cells[0]) * (1 + _GAP) - _GAP)
    ax.set_ylim(len(cells) * (tall + _GAP) - _GAP, 0)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
