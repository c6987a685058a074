"""The faces whose label is probably wrong, each with its label and what it is taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.contact_sheet import tile
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import figure_style, new_axes
from fer_lightning.stats.label_doubts import DoubtfulFace

COLUMNS = 8
SHOWN = 40  # faces, five rows
_INCHES = 1.05  # a face
_LINE = 9  # pixels of a line of text above a face 48 pixels wide


def captions(face: DoubtfulFace) -> tuple[str, str]:
    """The two lines above a face: its rank and label; and the suggested class, with the runs that disagree."""
    return (
        f"{face.rank}. {shortened(face.label, 12)}",
        f"→ {shortened(face.suggested, 10)} {100 * face.disagree:.0f} %",
    )


def plot_doubtful_faces(
    faces: Sequence[DoubtfulFace],
    images: np.ndarray,
    *,
    title: str = "Faces of doubtful label",
    columns: int = COLUMNS,
    ax: Axes | None = None,
) -> Axes:
    """Draw doubtful faces row by row, the most doubtful first.

    Parameters
    ----------
    faces, images
        The faces, and their levels ``[N, H, W]`` or ``[N, H, W, 3]`` in the same order; at least one.
    title
        What they are of; it should say "synthetic" for drawn faces.
    ax
        Where to draw; by default a new figure that fits the sheet.

    Raises
    ------
    ValueError
        There are no faces, or another number of images.
    """
    if len(faces) != len(images):
        raise ValueError(f"{len(images)} images of {len(faces)} faces: expected one each")
    columns = min(columns, len(faces)) if len(faces) else columns
    width, line = images.shape[2], max(1.0, _LINE * images.shape[2] / 48)
    sheet, corners = tile(images, max(columns, 4), round(2.4 * line))
    with figure_style():
        if ax is None:
            scale = _INCHES / width
            ax = new_axes(max(sheet.shape[1] * scale, 4.2), sheet.shape[0] * scale + 0.6)
        show_picture(ax, sheet, (0.0, 255.0))
        ax.set_axis_off()
        ax.set_title(
            f"{title}\nlabel, → what it is taken for, and the share of runs that disagree with the label"
        )
        for face, (top, left) in zip(faces, corners, strict=True):
            given, suggested = captions(face)
            ax.text(left, top - line - 2, given, va="bottom", fontsize=6.5)
            ax.text(left, top - 2, suggested, va="bottom", fontsize=6.5, fontweight="bold")
    return ax
