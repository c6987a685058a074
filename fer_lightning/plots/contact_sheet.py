"""Many images on one sheet, in grey or in colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import figure_style, new_axes

GAP = 2  # pixels between neighbours
TITLE_ROWS = 9  # pixels above each image when there are titles, by an image 48 pixels wide
INCHES_PER_IMAGE = 0.9


def sheet_corners(
    count: int, height: int, width: int, columns: int = 7, title_rows: int = 0
) -> tuple[tuple[int, int], np.ndarray]:
    """Where each image goes on the sheet, row by row.

    Returns
    -------
    tuple
        The sheet's (height, width) in pixels, and the images' (top, left) corners, int64 [count, 2]. Every
        image has ``title_rows`` free rows above it.

    Raises
    ------
    ValueError
        When there is nothing to lay out or no column to put it in.
    """
    if count < 1 or columns < 1:
        raise ValueError(f"{count} images in {columns} columns: expected at least one of each")
    row, column = np.divmod(np.arange(count), columns)
    corners = np.stack((row * (height + title_rows + GAP) + title_rows, column * (width + GAP)), axis=1)
    top, left = corners.max(axis=0)
    return (int(top) + height, int(left) + width), corners


def tile(images: np.ndarray, columns: int = 7, title_rows: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Put images [N, H, W] or [N, H, W, 3] on one sheet, float32, NaN where it is empty; also return their corners."""
    shape, corners = sheet_corners(len(images), images.shape[1], images.shape[2], columns, title_rows)
    sheet = np.full((*shape, *images.shape[3:]), np.nan, dtype=np.float32)
    for image, (top, left) in zip(images, corners, strict=True):
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet, corners


def contact_sheet(
    images: np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 7,
    ax: Axes | None = None,
    *,
    limits: tuple[float, float] = (0.0, 255.0),
) -> Axes:
    """Draw images [N, H, W] or [N, H, W, 3] row by row, each with its title above it.

    Parameters
    ----------
    images
        Levels; black and white are at ``limits``, the same for all, so that faces can be compared.
    titles
        One short text an image (about eight letters fit above 48 pixels), or None.
    columns
        Images in a row.
    ax
        Where to draw; by default a new figure that fits the sheet.

    Raises
    ------
    ValueError
        When the number of titles is not the number of images, or there are no images.
    """
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"{len(titles)} titles for {len(images)} images: expected one each")
    title_rows = 0 if titles is None else max(1, round(TITLE_ROWS * images.shape[2] / 48))
    sheet, corners = tile(images, columns, title_rows)
    with figure_style():
        if ax is None:
            scale = INCHES_PER_IMAGE / images.shape[2]
            ax = new_axes(max(sheet.shape[1] * scale, 1.0), max(sheet.shape[0] * scale, 1.0))
        show_picture(ax, sheet, limits)
        ax.set_axis_off()
        for title, (top, left) in zip(titles or (), corners, strict=False):
            ax.text(left + images.shape[2] / 2, top - 1.5, title, ha="center", va="bottom", fontsize=7)
    return ax
