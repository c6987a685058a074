"""What each block makes of one face, a row a block."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.contact_sheet import tile
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import SEQUENTIAL, figure_style, new_axes

INCHES = 0.72
LABEL_INCHES = 1.75
SIDE = 48  # pixels to which every map is enlarged


def strongest(maps: np.ndarray, count: int) -> np.ndarray:
    """Return the numbers of the ``count`` maps of ``[K, h, w]`` that vary most over the face, ascending."""
    spread = maps.reshape(len(maps), -1).std(axis=1)
    return np.sort(np.argsort(-spread, kind="stable")[:count])


def enlarged(maps: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return ``[K, h, w]`` as ``[K, side, side]`` by repeating pixels, so that each can be seen."""
    rows = np.arange(side) * maps.shape[1] // side
    columns = np.arange(side) * maps.shape[2] // side
    return maps[:, rows][:, :, columns]


def row_scale(maps: np.ndarray) -> tuple[float, float]:
    """Return the values drawn darkest and brightest in a row: from its least, at most 0, to its largest."""
    return min(0.0, float(maps.min())), float(maps.max())


def feature_map_sheet(
    maps: Mapping[str, np.ndarray],
    face: np.ndarray,
    columns: int = 12,
    title: str = "",
    ax: Axes | None = None,
    *,
    synthetic: bool = False,
    kinds: Mapping[str, str] | None = None,
) -> Axes:
    """Draw a row of maps for each layer, the same scale across the row, below the face itself.

    Parameters
    ----------
    maps
        From `feature_maps`: ``[K, h, w]`` by layer.
    face
        Levels ``[H, W]`` or ``[H, W, 3]``.
    columns
        Maps shown of each layer: those that vary most over this face.
    title
        What the face is, such as its class and id.
    ax
        Where to draw; by default a new figure that fits the sheet.
    synthetic
        Say that the face was drawn by a program.
    kinds
        The class of each layer, such as ``Conv2d``: it stands beside the name, which may say little.
    """
    pictures, numbers, labels = [], [], []
    for name, layer in maps.items():
        chosen = strongest(layer, columns)
        low, high = row_scale(layer[chosen])
        scaled = (enlarged(layer[chosen]) - low) / max(high - low, 1e-12)
        blank = np.full((columns - len(chosen), SIDE, SIDE), np.nan)
        pictures.append(np.concatenate([scaled, blank]))
        numbers += [str(number) for number in chosen] + [""] * len(blank)
        size = f"{len(layer)} maps of {layer.shape[1]}×{layer.shape[2]}"
        kind = f" ({kinds[name]})" if kinds and name in kinds else ""
        heading = shortened(f"{name.removeprefix('model.')}{kind}", 26)
        labels.append(f"{heading}\n{size}\n{low:.2g} to {high:.2g}")
    title_rows = 11
    sheet, corners = tile(np.concatenate(pictures), columns, title_rows)
    sheet, corners = sheet.astype(float), corners + np.array([SIDE + title_rows + 2, 0])
    above = SIDE + title_rows + 2  # the face's own row
    with figure_style():
        scale = INCHES / SIDE
        label = LABEL_INCHES / scale
        if ax is None:
            ax = new_axes(sheet.shape[1] * scale + LABEL_INCHES, (sheet.shape[0] + above) * scale + 0.4)
        extent = (-0.5, sheet.shape[1] - 0.5, above + sheet.shape[0] - 0.5, above - 0.5)
        ax.imshow(sheet, cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest", extent=extent)
        place = (-0.5, SIDE - 0.5, title_rows + SIDE - 0.5, title_rows - 0.5)
        show_picture(ax, face, interpolation=None, extent=place)
        ax.set_xlim(-label, sheet.shape[1])
        ax.set_ylim(above + sheet.shape[0] + 1, 0)
        ax.set_axis_off()
        ax.set_anchor("W")
        drawn = " (synthetic)" if synthetic else ""
        ax.set_title(f"Feature maps of one image{drawn}, first layer to last", fontsize=10)
        note = f"{title}\nbrighter is larger; one scale a row; the {columns} maps that vary most"
        ax.text(SIDE + 4, title_rows + SIDE / 2, note.strip(), va="center", fontsize=8)
        for text, (top, left) in zip(numbers, corners, strict=True):
            ax.text(left + SIDE / 2, top - 1.5, text, ha="center", va="bottom", fontsize=7)
        for text, (top, _) in zip(labels, corners[::columns], strict=True):
            ax.text(-label * 0.99, top + SIDE / 2, text, va="center", fontsize=8)
    return ax
