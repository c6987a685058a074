"""Faces of the slices in which networks fail: a row for each slice."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.data.picture_arrays import Images
from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.contact_sheet import tile
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import VERMILION, figure_style, new_axes
from fer_lightning.stats.slices import FaceSlices, Slice

COLUMNS = 12
SHOWN = 8  # slices
_INCHES = 0.95  # a face
_LINE = 9  # pixels of a line of text above a face 48 pixels wide


def shown_members(found: FaceSlices, each: Slice, most: int = COLUMNS) -> np.ndarray:
    """Return positions of faces of a slice, evenly over their order: neither the worst nor the best are picked."""
    members = np.flatnonzero(found.group == each.number)
    chosen = np.linspace(0, len(members) - 1, min(most, len(members))).round().astype(np.int64)
    return np.asarray(members[chosen])


def row_caption(each: Slice) -> str:
    """The line above a slice's faces."""
    return (
        f"slice {each.number}: {each.faces:,} faces, error {100 * each.error:.0f} % "
        f"[{100 * each.low:.0f}, {100 * each.high:.0f}], {100 * each.expected:.0f} % by class"
    )


def plot_failing_faces(
    found: FaceSlices, images: Images, *, title: str = "Where it fails", ax: Axes | None = None
) -> Axes:
    """Draw faces of the first failing slices, a row each, with their classes; in red what is mostly taken for another.

    Parameters
    ----------
    found, images
        The slices, of which at least one fails, and the levels of all their faces, ``[N, H, W]`` or ``[N, H, W, 3]``.
    title
        What they are of; it should say "synthetic" for drawn faces.
    ax
        Where to draw; by default a new figure that fits.

    Raises
    ------
    ValueError
        No slice fails.
    """
    rows = found.failing[:SHOWN]
    if not rows:
        raise ValueError("no slice fails: nothing to draw")
    members = [shown_members(found, each) for each in rows]
    pictures = [np.asarray(images[chosen], np.float32) for chosen in members]
    blank = np.full((COLUMNS, *pictures[0].shape[1:]), np.nan, np.float32)
    width = blank.shape[2]
    line = max(1.0, _LINE * width / 48)
    rectangles = [np.concatenate((each, blank))[:COLUMNS] for each in pictures]
    sheet, corners = tile(np.concatenate(rectangles), COLUMNS, round(2.6 * line))
    with figure_style():
        if ax is None:
            scale = _INCHES / width
            ax = new_axes(sheet.shape[1] * scale, sheet.shape[0] * scale + 0.5)
        show_picture(ax, sheet, (0.0, 255.0))
        ax.set_axis_off()
        ax.set_title(f"{title}\neach face: its class, or → the class that it is taken for")
        for row, (each, chosen) in enumerate(zip(rows, members, strict=True)):
            places = corners[row * COLUMNS : row * COLUMNS + len(chosen)]
            ax.text(
                places[0][1],
                places[0][0] - line - 3,
                row_caption(each),
                va="bottom",
                fontsize=7.5,
                fontweight="bold",
            )
            for face, (top, left) in zip(chosen, places, strict=True):
                label, taken = found.labels[face], found.predicted[face]
                text = (
                    found.class_names[label]
                    if label == taken
                    else f"→ {shortened(found.class_names[taken], 9)}"
                )
                color = "black" if label == taken else VERMILION
                ax.text(left, top - 2, shortened(text, 11), va="bottom", fontsize=6, color=color)
    return ax
