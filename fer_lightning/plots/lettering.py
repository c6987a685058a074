"""Many short texts as one artist: matplotlib takes ten times as long for as many texts of its own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from fer_lightning.plots.style import families, known_letters, say_lacking

LINE = 1.5 / 72  # inches from a line of text to the next, by the letters' size in points


class Lettering(NamedTuple):
    """A text at a point of the data, the letters of its last line centred in height.

    Attributes
    ----------
    size
        Points.
    align
        The share of a line that lies left of the point: 0, 0.5 or 1.
    angle
        Degrees about the point.
    """

    x: float
    y: float
    text: str
    size: float = 8
    align: float = 0.0
    angle: float = 0.0
    bold: bool = False
    ink: str = "black"


def letter(ax: Axes, texts: Iterable[Lettering]) -> None:
    """Draw texts; the artist's label is all of them, one a line."""
    outlines, places, inks, said = [], [], [], []
    for each in texts:
        for number, line in enumerate(reversed(each.text.split("\n"))):
            path, width = _outline(line, each.size, each.bold)
            moved = Affine2D().translate(-each.align * width, number * LINE * 72 * each.size)
            outlines.append(moved.rotate_deg(each.angle).transform_path(path))
            places.append((each.x, each.y))
            inks.append(each.ink)
        said.append(each.text)
    drawn = PathCollection(
        outlines, facecolors=inks, linewidths=0, offsets=places, offset_transform=ax.transData
    )
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    drawn.set_transform(Affine2D().scale(1 / 72) + figure.dpi_scale_trans)
    drawn.set_label("\n".join(said))
    ax.add_artist(drawn)


def width_inches(text: str, size: float = 8) -> float:
    """Return the width of a line in letters of ``size`` points."""
    return _outline(text, size, False)[1] / 72


@lru_cache(maxsize=4096)
def _outline(text: str, size: float, bold: bool) -> tuple[Path, float]:
    if not text.strip():  # TextPath fails without a letter
        return Path(np.empty((0, 2))), 0.0
    say_lacking(letter for letter in set(text) if ord(letter) not in known_letters())
    font = FontProperties(family=families(), weight="bold" if bold else "normal")
    path = TextPath((0, -0.36 * size), text, size, prop=font)
    return path, float(np.max(np.asarray(path.vertices)[:, 0], initial=0.0))
