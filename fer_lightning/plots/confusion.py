"""Confusion matrices with the field's habits: true classes down, predicted classes across."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgb
from matplotlib.image import AxesImage

from fer_lightning.explain.confusion_difference import ConfusionDifference
from fer_lightning.plots.style import SEQUENTIAL, figure_style, new_axes
from fer_lightning.runs.confusion_counts import Confusion

# Purple to orange through white: told apart with every common kind of colour blindness, unlike red to green.
DIVERGING = "PuOr_r"
_CELL_INCHES = 0.62
_NAME_LENGTH = 24
_NAME_UPRIGHT = 9  # letters of a name that fit under a cell
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
    note = f"accuracy {100 * matrix.accuracy:.1f} % of {int(matrix.counts.sum()):,} faces"
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
    kind = "the same faces" if difference.paired else "different faces"
    note = (
        f"{kind}; * the interval over faces leaves out zero ({level} for all {cells} cells together); "
        "another seed would move the cells too"
    )
    data = difference_data(difference)
    return _plot_cells(data, ax, f"{title}\n{note}", DIVERGING, "share of the true class, points")


def _plot_cells(data: CellsData, ax: Axes | None, title: str, cmap: str, label: str) -> Axes:
    size, longest = len(data.rows), max(map(len, data.rows))
    slanted = max(map(len, data.columns)) > _NAME_UPRIGHT
    side = max(_CELL_INCHES * size, 3.4)
    with figure_style():
        if ax is None:
            ax = new_axes(side + 1.3 + 0.075 * longest, side + 1.3 + (0.05 * longest if slanted else 0))
        colors = mpl.colormaps[cmap].with_extremes(bad=_EMPTY)
        scale = Normalize(*data.limits)
        # The figure is sized for square cells; a forced aspect would let labels run out of the figure.
        image = ax.imshow(data.values, cmap=colors, norm=scale, aspect="auto")
        for i in range(size):
            for j in range(size):
                _cell_text(ax, data, i, j, readable_on(_cell_color(colors, scale, data.values[i, j])))
        ax.set_xticks(range(size), data.columns)
        ax.set_yticks(range(size), data.rows)
        if slanted:
            for tick in ax.get_xticklabels():
                tick.set(rotation=45, horizontalalignment="right", rotation_mode="anchor")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class (faces)")
        width = int(12 * (side + 0.9))
        ax.set_title("\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, width)))
        _color_bar(ax, image, label)
    return ax


def _color_bar(ax: Axes, image: AxesImage, label: str) -> None:
    figure = ax.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label(label)
    bar.outline.set_visible(False)


def _cell_color(colors: mpl.colors.Colormap, scale: Normalize, value: float) -> tuple[float, ...]:
    return to_rgb(_EMPTY) if math.isnan(value) else tuple(colors(float(scale(value))))


def _cell_text(ax: Axes, data: CellsData, i: int, j: int, color: str) -> None:
    bold = bool(data.bold[i, j])
    ax.text(
        j,
        i - 0.13,
        data.upper[i][j],
        ha="center",
        va="center",
        color=color,
        fontsize=8.5,
        fontweight="bold" if bold else "normal",
    )
    ax.text(j, i + 0.22, data.lower[i][j], ha="center", va="center", color=color, fontsize=6.5)
