"""Sheets of the images that drive filters most, one layer each."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fer_lightning.explain.activation_maximization import Ascent
from fer_lightning.messages import counted
from fer_lightning.plots.contact_sheet import tile
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, figure_style, new_axes

INCHES = 0.72  # width of one image
GROUP_COLORS = (VERMILION, BLUE, GREEN, ORANGE, PURPLE, SKY)


def group_letters(groups: Sequence[Sequence[int]], count: int) -> list[str]:
    """Return for each of ``count`` filters the letter of its group of repeats (A, B … Z, A2 …), or nothing."""
    letters = [""] * count
    for number, group in enumerate(groups):
        turn, letter = divmod(number, len(ascii_uppercase))
        for each in group:
            letters[each] = ascii_uppercase[letter] + (str(turn + 1) if turn else "")
    return letters


def filter_titles(ascent: Ascent, groups: Sequence[Sequence[int]] = ()) -> list[str]:
    """Return what stands above each image: the filter's number, its group, and whether it found no gradient."""
    letters = group_letters(groups, len(ascent.filters))
    return [
        f"{number}{' ' if letter else ''}{letter}{' stuck' if stuck else ''}"
        for number, letter, stuck in zip(ascent.filters, letters, ascent.stuck, strict=True)
    ]


def filter_note(ascent: Ascent, groups: Sequence[Sequence[int]] = (), *, synthetic: bool = False) -> str:
    """Return the lines above a sheet: layer, what was climbed, how far against faces, repeats, stuck filters."""
    what = "mean over the map" if ascent.objective == "map" else "central unit"
    height, width = ascent.patterns.shape[1:3]
    first = f"{ascent.layer.removeprefix('model.')}: the image that drives each filter most ({what}"
    first += f", receptive field {height}×{width} pixels)" if ascent.objective == "unit" else ")"
    parts = []
    if ascent.faces is not None:
        driven = ascent.faces > 0
        kind = "synthetic face" if synthetic else "real face"
        if driven.any():
            ratio = float(np.median(ascent.activation[driven] / ascent.faces[driven]))
            parts.append(f"activation reached: {ratio:.1f} × the strongest {kind}'s (median)")
        if not driven.all():
            parts.append(f"{counted(int((~driven).sum()), 'filter')} that no image drives")
    repeated = sum(map(len, groups))
    if groups:
        parts.append(f"{repeated} filters repeat one another (groups by letter: {len(groups)})")
    if ascent.stuck.any():
        parts.append(f"{int(ascent.stuck.sum())} stuck: no gradient, so only the starting noise")
    return "\n".join([first, *parts])


def filter_sheet(
    ascent: Ascent,
    groups: Sequence[Sequence[int]] = (),
    columns: int = 16,
    ax: Axes | None = None,
    *,
    synthetic: bool = False,
) -> Axes:
    """Draw one image a filter, all on the scale from black to white, with number and group of repeats.

    Parameters
    ----------
    ascent
        From `gradient_ascent`. Of the objective ``unit`` the receptive field is shown.
    groups
        From `repeated_filters`: positions in ``ascent``; each group has a letter and a frame of its colour.
    columns
        Images in a row.
    ax
        Where to draw; by default a new figure that fits the sheet.
    synthetic
        Say that the faces compared with were drawn by a program.
    """
    images = ascent.patterns if ascent.objective == "unit" else ascent.images
    height, width = images.shape[1:3]
    # Small receptive fields are enlarged, so that gaps and titles take the same room on every sheet.
    factor = max(1, round(48 / width))
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = images.shape[1:3]
    columns = min(columns, len(images))
    rows = max(6, round(width * 0.25))
    sheet, corners = tile(images, columns, rows)
    note = filter_note(ascent, groups, synthetic=synthetic)
    letters = group_letters(groups, len(images))
    order = {letter: number for number, letter in enumerate(dict.fromkeys(filter(None, sorted(letters))))}
    with figure_style():
        if ax is None:
            scale = INCHES / width
            across = max(sheet.shape[1] * scale, 6.5)
            ax = new_axes(across, sheet.shape[0] * scale + 0.6 + 0.17 * note.count("\n"))
        show_picture(ax, sheet)
        ax.set_axis_off()
        ax.set_anchor("W")
        ax.set_title(note, fontsize=9)
        ax.set_xlim(-2, sheet.shape[1] + 1)
        ax.set_ylim(sheet.shape[0] + 1, -1)
        titles = filter_titles(ascent, groups)
        for title, letter, (top, left) in zip(titles, letters, corners, strict=True):
            color = GROUP_COLORS[order[letter] % len(GROUP_COLORS)] if letter else "black"
            weight = "bold" if letter else "normal"
            ax.text(
                left + width / 2,
                top - 1.5,
                title,
                ha="center",
                va="bottom",
                fontsize=7,
                color=color,
                weight=weight,
            )
            if letter:
                frame = Rectangle(
                    (left - 1, top - 1), width + 1, height + 1, fill=False, lw=1.6, edgecolor=color
                )
                ax.add_patch(frame)
    return ax
