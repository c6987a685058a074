"""For chosen filters: the image that drives each most, the faces that do, and the class it prefers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.explain.top_faces import LARGE_EFFECT, TopFaces
from fer_lightning.plots.contact_sheet import tile
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import figure_style, new_axes

INCHES = 0.78
LABEL_INCHES = 2.0


def most_selective(found: TopFaces, count: int) -> list[int]:
    """Return the ``count`` filters with the largest effect, but each class's best filter first."""
    order = np.argsort(-found.effect, kind="stable").tolist()
    best = [next((k for k in order if found.preferred[k] == c), None) for c in range(len(found.class_names))]
    leaders = sorted((k for k in best if k is not None), key=lambda k: -found.effect[k])
    return (leaders + [k for k in order if k not in leaders])[:count]


def filter_text(found: TopFaces, number: int) -> str:
    """Return a row's lines: the filter, the class it stands for, and how clearly it tells that class."""
    if not found.values[number].any():
        return f"filter {number}: no image drives it"
    preferred = found.class_names[found.preferred[number]]
    name = found.name(number)
    shown = int((found.labels[number] == found.preferred[number]).sum())
    return (
        f"filter {number}: {name or 'no class'}\n"
        f"most by {preferred}, d = {found.effect[number]:.2f}\n"
        f"{shown} of the {len(found.labels[number])} strongest"
    )


def top_faces_sheet(
    found: TopFaces,
    faces: np.ndarray,
    filters: Sequence[int],
    images: np.ndarray | None = None,
    ax: Axes | None = None,
    *,
    synthetic: bool = False,
) -> Axes:
    """Draw a row for each filter: its ascent image where given, then its strongest faces with class and value.

    Parameters
    ----------
    found
        From `top_faces`.
    faces
        Levels ``[N, H, W]`` or ``[N, H, W, 3]`` of the rows, one row after the other: as many
        of each as ``found.positions`` has.
    filters
        The rows.
    images
        Ascent images of the rows, of the same shape but for their number, or None.
    ax
        Where to draw; by default a new figure that fits the sheet.
    synthetic
        Say that the faces were drawn by a program.

    Raises
    ------
    ValueError
        There is no row, or not one ascent image for each.
    """
    filters = list(filters)
    if not filters or (images is not None and len(images) != len(filters)):
        raise ValueError(f"filters={filters}: expected at least one, and an image for each")
    titles, pictures = [], []
    for row, number in enumerate(filters):
        if images is not None:
            titles.append("ascent")
            pictures.append(images[row])
        shown = faces.reshape(len(filters), -1, *faces.shape[1:])[row]
        for face, label, value in zip(shown, found.labels[number], found.values[number], strict=True):
            titles.append(f"{found.class_names[label]} {value:.2g}")
            pictures.append(face)
    columns = len(pictures) // len(filters)
    height, width = faces.shape[1:3]
    sheet, corners = tile(np.stack(pictures), columns, max(6, round(width * 0.22)))
    with figure_style():
        scale = INCHES / width
        label_width = LABEL_INCHES / scale
        if ax is None:
            ax = new_axes(max(sheet.shape[1] * scale + LABEL_INCHES, 6.8), sheet.shape[0] * scale + 0.6)
        show_picture(ax, sheet)
        ax.set_axis_off()
        ax.set_anchor("W")
        ax.set_xlim(-label_width, sheet.shape[1])
        ax.set_ylim(sheet.shape[0] + 1, -1)
        kind = "synthetic images" if synthetic else "images"
        layer = found.layer.removeprefix("model.")
        ax.set_title(
            f"{layer}: the {kind} of {int(found.counts.sum()):,} that drive a filter most, with their activation\n"
            f"d: the preferred class's mean above all others', in deviations; a class needs d ≥ {LARGE_EFFECT}",
            fontsize=9,
        )
        for title, (top, left) in zip(titles, corners, strict=True):
            ax.text(left + width / 2, top - 1.0, title, ha="center", va="bottom", fontsize=6.5)
        for number, (top, _) in zip(filters, corners[::columns], strict=True):
            ax.text(
                -label_width * 0.99, top + height / 2, filter_text(found, number), va="center", fontsize=8
            )
    return ax
