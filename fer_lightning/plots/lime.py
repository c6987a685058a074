"""LIME's superpixels for every class, a face a row, beside that class's row of the confusion matrix."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries

from fer_lightning.explain.lime_explanation import LimeExplanation
from fer_lightning.plots.confusion import DIVERGING, shortened
from fer_lightning.plots.show_pictures import in_grey, show_picture
from fer_lightning.plots.style import GREY, ORANGE, VERMILION, figure_style
from fer_lightning.runs.confusion_counts import Confusion

_CELL, _LEFT, _RIGHT, _TOP, _BOTTOM, _HEAD = 1.05, 1.25, 1.6, 1.1, 0.75, 0.2  # inches
_LIGHT = "#C9C9C9"


def row_limit(explanation: LimeExplanation) -> float:
    """Return the weight at the ends of a row's colour scale: one for all classes, so that they can be compared."""
    return max(float(np.abs(explanation.weights).max()), 1e-12)


def row_caption(explanation: LimeExplanation) -> str:
    """Return the lines beside a face: how stable its weights are and how well the linear model fits."""
    stability = explanation.stability[np.isfinite(explanation.stability)]
    told = f"{np.median(stability):.2f}" if len(stability) else "–"
    return f"ρ = {told}\nR² = {np.median(explanation.r2):.2f}\n±{row_limit(explanation):.2g}"


def plot_lime(
    explanations: Sequence[LimeExplanation],
    labels: Sequence[int],
    confusion: Confusion,
    *,
    title: str = "LIME",
) -> Figure:
    """Draw a row for each face: the face, a map for each class, and its true class's row of the confusion matrix.

    Orange superpixels speak for the class of the column, purple ones against it. Over each map stands the class's
    probability, with a frame for the predicted class. The scale is the same within a row and written beside it.

    Parameters
    ----------
    explanations
        One for each face, of the same model and options.
    labels
        True class of each face.
    confusion
        Of the model on the split that the faces are from.
    title
        What the faces are of; it should say "synthetic" for drawn faces.
    """
    classes, rows = len(confusion.class_names), len(explanations)
    width = _LEFT + _CELL * (classes + 1) + _RIGHT
    height = _TOP + (_CELL + _HEAD) * rows + _BOTTOM
    with figure_style():
        figure = Figure(figsize=(width, height))
        for row, (explanation, label) in enumerate(zip(explanations, labels, strict=True)):
            bottom = height - _TOP - (row + 1) * (_CELL + _HEAD)

            def place(column: int, wide: float = _CELL, bottom: float = bottom) -> Axes:
                left = _LEFT + column * _CELL
                share = [left / width, bottom / height, (wide - 0.08) / width, (_CELL - 0.05) / height]
                return figure.add_axes((share[0], share[1], share[2], share[3]))

            _draw_face(place(0), explanation, confusion.class_names[label])
            for column in range(classes):
                ax = place(column + 1)
                _draw_map(ax, explanation, column)
                if row == 0:
                    ax.annotate(
                        shortened(confusion.class_names[column], 12),
                        (0.5, 1.3),
                        xycoords="axes fraction",
                        ha="center",
                        fontsize=9,
                    )
            bars = place(classes + 1, _RIGHT - 0.15)
            _draw_row(bars, confusion, label)
            if row == 0:
                bars.set_title("taken for, %", fontsize=9, pad=10)
        _titles(figure, explanations[0], title, width, height)
        _color_bar(figure, width, height)
    return figure


def _draw_face(ax: Axes, explanation: LimeExplanation, name: str) -> None:
    show_picture(ax, explanation.image)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    caption = f"{shortened(name, 14)}\n"
    ax.text(-0.08, 0.98, caption, transform=ax.transAxes, ha="right", va="top", fontsize=9, fontweight="bold")
    ax.text(-0.08, 0.76, row_caption(explanation), transform=ax.transAxes, ha="right", va="top", fontsize=7.5)


def _draw_map(ax: Axes, explanation: LimeExplanation, label: int) -> None:
    limit = row_limit(explanation)
    # The face shows through in faint grey, so that a reader sees what a superpixel covers.
    show_picture(ax, in_grey(explanation.image[None])[0])
    ax.imshow(
        explanation.map(label), cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest", alpha=0.72
    )
    edges = np.ma.masked_equal(find_boundaries(explanation.segments, mode="inner").astype(float), 0)
    ax.imshow(edges, cmap="gray", vmin=0, vmax=1, interpolation="nearest", alpha=0.25)
    ax.set_xticks([])
    ax.set_yticks([])
    best = label == int(explanation.probabilities.argmax())
    ax.spines[:].set_visible(best)
    for spine in ax.spines.values():
        spine.set(color=VERMILION, linewidth=2)
    ax.set_title(
        f"{100 * explanation.probabilities[label]:.0f} %",
        fontsize=7.5,
        loc="center",
        pad=3,
        fontweight="bold" if best else "normal",
    )


def _draw_row(ax: Axes, confusion: Confusion, label: int) -> None:
    """Bars of one row of the confusion matrix: the class itself, and the one it is most often taken for."""
    rates = 100 * np.nan_to_num(confusion.rates[label])
    others = np.where(np.arange(len(rates)) == label, -1, rates)
    colors = [
        VERMILION if i == label else ORANGE if i == int(others.argmax()) and others[i] > 0 else _LIGHT
        for i in range(len(rates))
    ]
    size = min(6.5, 48 / len(rates))
    ax.barh(range(len(rates)), rates, color=colors, height=0.8)
    for y, rate in enumerate(rates):
        ax.text(rate + 3, y, f"{rate:.0f}", va="center", fontsize=size)
    ax.set_yticks(range(len(rates)), [shortened(name, 10) for name in confusion.class_names], fontsize=size)
    ax.set_ylim(len(rates) - 0.4, -0.6)
    ax.set_xlim(0, 118)
    ax.set_xticks([])
    ax.tick_params(length=0, pad=2)
    ax.spines["bottom"].set_visible(False)
    ax.spines["left"].set_color(GREY)
    box = ax.get_position()
    # Room for the class names left of the bars.
    ax.set_position((box.x0 + 0.38 * box.width, box.y0, 0.62 * box.width, box.height))


def _titles(figure: Figure, example: LimeExplanation, title: str, width: float, height: float) -> None:
    figure.text(0.15 / width, 1 - 0.1 / height, title, va="top", fontsize=11)
    note = (
        f"superpixels covered with {example.fill}; {example.target} explained; two draws of about "
        f"{example.samples:,} coverings an image · ρ: rank correlation of the two, R²: fit of the linear model "
        "(medians over classes) · framed: the predicted class"
    )
    lines = textwrap.wrap(note, int(14 * width))
    figure.text(0.15 / width, 1 - 0.32 / height, "\n".join(lines), va="top", fontsize=7.5)


def _color_bar(figure: Figure, width: float, height: float) -> None:
    ax = figure.add_axes(((_LEFT + _CELL) / width, 0.42 / height, 3 * _CELL / width, 0.12 / height))
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), DIVERGING), cax=ax, orientation="horizontal")
    bar.set_ticks([-1, 0, 1], labels=["against the class", "0", "for the class"])
    bar.outline.set_visible(False)
    figure.text(
        (_LEFT + 4.3 * _CELL) / width,
        0.48 / height,
        "same scale within a row; its end (±) stands beside the image",
        va="center",
        fontsize=7.5,
    )
