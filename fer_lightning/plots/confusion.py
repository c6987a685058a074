"""Confusion matrices with the field's habits: true classes down, predicted classes across."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from fer_lightning.explain.confusion_difference import ConfusionDifference
from fer_lightning.messages import counted
from fer_lightning.plots.lettering import LINE, Lettering, letter, width_inches
from fer_lightning.plots.style import SEQUENTIAL, figure_style
from fer_lightning.runs.confusion_counts import Confusion

# Purple to orange through white: told apart with every common kind of colour blindness, unlike red to green.
DIVERGING = "PuOr_r"
_CELL_INCHES = 0.62
_NAME_LENGTH = 24
_NAME_UPRIGHT = 9  # letters of a name that fit under a cell
_ROWS = "true class (images)"
_EMPTY = "#DDDDDD"  # a class without faces has no rates


@dataclass(frozen=True, eq=False)
class CellsData:
    """What a figure of a matrix shows.

    Attributes
    ----------
    values
        float ``[C, C]`` that colour the cells, in per cent or points; NaN is drawn grey.
    upper, lower
        The two lines of text of each cell; an empty second line is left out.
    bold
        bool ``[C, C]``: cells whose text stands out.
    limits
        Values of the two ends of the colour map.
    rows, columns
        Tick labels.
    """

    values: np.ndarray
    upper: list[list[str]]
    lower: list[list[str]]
    bold: np.ndarray
    limits: tuple[float, float]
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def readable_on(color: Sequence[float]) -> str:
    """Return black or white, whichever has the higher contrast on ``color`` (WCAG 2, relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "white"


def shortened(name: str, longest: int = _NAME_LENGTH) -> str:
    """Return a class name of at most ``longest`` letters; a longer one loses its middle, names differ at their ends."""
    half = (longest - 1) // 2
    return name if len(name) <= longest else f"{name[: longest - 1 - half]}…{name[-half:]}"


def confusion_data(matrix: Confusion) -> CellsData:
    """Cells of a confusion matrix: the share of the true class in per cent, and the count under it."""
    rates = 100 * matrix.rates
    upper = [["" if math.isnan(value) else f"{value:.0f} %" for value in row] for row in rates]
    lower = [[f"{count:,}" for count in row] for row in matrix.counts]
    names = [shortened(name) for name in matrix.class_names]
    rows = tuple(f"{name} ({faces:,})" for name, faces in zip(names, matrix.faces, strict=True))
    diagonal = np.eye(len(names), dtype=bool)
    return CellsData(rates, upper, lower, diagonal, (0.0, 100.0), rows, tuple(names))


def difference_data(difference: ConfusionDifference) -> CellsData:
    """Cells of a difference: points of the true class, and both counts; decided cells are bold."""
    values = 100 * difference.difference
    counts = zip(difference.first.counts, difference.second.counts, strict=True)
    lower = [[f"{a:,}→{b:,}" for a, b in zip(*pair, strict=True)] for pair in counts]
    upper = [["" if math.isnan(value) else _signed(value) for value in row] for row in values]
    upper = [
        [text + ("*" if mark else "") for text, mark in zip(texts, marks, strict=True)]
        for texts, marks in zip(upper, difference.decided, strict=True)
    ]
    finite = np.abs(values[np.isfinite(values)])
    # A scale of less than five points would paint noise in full colour.
    limit = max(5.0, float(finite.max())) if finite.size else 5.0
    names = tuple(shortened(name) for name in difference.first.class_names)
    faces = zip(difference.first.faces, difference.second.faces, strict=True)
    sizes = [f"{a:,}" if a == b else f"{a:,}, {b:,}" for a, b in faces]
    rows = tuple(f"{name} ({size})" for name, size in zip(names, sizes, strict=True))
    return CellsData(values, upper, lower, difference.decided, (-limit, limit), rows, names)


def _signed(value: float) -> str:
    """A difference in whole points with its sign; no sign on a rounded zero."""
    rounded = round(value)
    return f"{rounded:+d}".replace("-", "−") if rounded else "0"


def plot_confusion(matrix: Confusion, ax: Axes | None = None, *, title: str = "Confusion matrix") -> Axes:
    """Draw a confusion matrix, coloured by the share of the true class; all matrices share the scale 0–100 %.

    Parameters
    ----------
    ax
        Where to draw; by default a new figure that fits the number of classes.
    title
        What the matrix is of; it should say "synthetic" for drawn faces.
    """
    note = f"accuracy {100 * matrix.accuracy:.1f} % of {counted(int(matrix.counts.sum()), 'image')}"
    if matrix.undecided:
        note += f"; {matrix.undecided:,} without a prediction left out"
    data = confusion_data(matrix)
    return _plot_cells(data, ax, f"{title}\n{note}", SEQUENTIAL, "share of the true class, %")


def plot_confusion_difference(
    difference: ConfusionDifference,
    ax: Axes | None = None,
    *,
    title: str = "Confusion matrix, second minus first",
) -> Axes:
    """Draw the difference of two confusion matrices on a scale that is symmetric about zero."""
    level, cells = f"{100 * difference.confidence:g}\N{NO-BREAK SPACE}%", difference.difference.size
    kind = "the same images" if difference.paired else "different images"
    note = (
        f"{kind}; * the interval over images leaves out zero ({level} for all {cells} cells together); "
        "another seed would move the cells too"
    )
    data = difference_data(difference)
    return _plot_cells(data, ax, f"{title}\n{note}", DIVERGING, "share of the true class, points")


def _plot_cells(data: CellsData, ax: Axes | None, title: str, cmap: str, label: str) -> Axes:
    size = len(data.rows)
    inch = 1 / max(_CELL_INCHES, 3.4 / size)  # in cells
    slanted = max(map(len, data.columns)) > _NAME_UPRIGHT
    with figure_style():
        left = 0.2 + max(map(width_inches, (*data.rows, _ROWS)))  # inches, as are wide, above and below
        wide = left + size / inch + 0.9
        title = "\n".join(textwrap.fill(part, int(12 * wide)) for part in title.split("\n"))
        above = 0.35 + 10 * LINE * (title.count("\n") + 1)
        below = 0.5 + (0.71 * max(map(width_inches, data.columns)) if slanted else 0)
        if ax is None:
            ax = Figure(figsize=(wide, above + size / inch + below)).add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        colors = mpl.colormaps[cmap].with_extremes(bad=_EMPTY)
        scale = Normalize(*data.limits)
        start, end = -0.5, size - 0.5
        bar = end + 0.24 * inch
        ramp = np.linspace(*data.limits[::-1], 256)[:, None]
        ax.imshow(ramp, cmap=colors, norm=scale, aspect="auto", extent=(end + 0.12 * inch, bar, end, start))
        ax.imshow(data.values, cmap=colors, norm=scale, aspect="auto")
        texts = _cell_texts(data, colors(scale(np.ma.masked_invalid(data.values))))
        beside, under = start - 0.08 * inch, end + 0.15 * inch
        texts += [Lettering(beside, index, name, align=1) for index, name in enumerate(data.rows)]
        texts += [
            Lettering(index, under, name, align=1 if slanted else 0.5, angle=45 if slanted else 0)
            for index, name in enumerate(data.columns)
        ]
        low, high = data.limits
        texts += [
            Lettering(bar + 0.06 * inch, end - share * size, f"{low + share * (high - low):.3g}")
            for share in (0, 0.5, 1)
        ]
        middle = size / 2 - 0.5
        texts += [
            Lettering(beside, start - 0.12 * inch, _ROWS, align=1),
            Lettering(middle, end + (below - 0.15) * inch, "predicted class", 9, align=0.5),
            Lettering(bar + 0.5 * inch, middle, label, 9, align=0.5, angle=90),
            Lettering(start - (left - 0.1) * inch, start - 0.35 * inch, title, 10),
        ]
        letter(ax, texts)
        ax.set_xlim(start - left * inch, end + 0.9 * inch)
        ax.set_ylim(end + below * inch, start - above * inch)
    return ax


def _cell_texts(data: CellsData, colors: np.ndarray) -> list[Lettering]:
    texts = []
    for i, j in np.ndindex(data.values.shape):
        ink = readable_on(colors[i, j].tolist())
        bold = bool(data.bold[i, j])
        texts.append(Lettering(j, i - 0.13, data.upper[i][j], 8.5, align=0.5, bold=bold, ink=ink))
        texts.append(Lettering(j, i + 0.22, data.lower[i][j], 6.5, align=0.5, ink=ink))
    return texts
