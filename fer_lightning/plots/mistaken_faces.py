"""Misclassified faces beside their class probabilities, the runner-up marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fer_lightning.explain.confusion import ConfusedPair
from fer_lightning.explain.mistakes import Mistake, mistakes
from fer_lightning.messages import counted
from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import BLUE, GREY, ORANGE, VERMILION, figure_style
from fer_lightning.runs.confusion_counts import class_names_of
from fer_lightning.runs.predictions import Predictions

_ROW_INCHES = 1.55
_FACE_INCHES = 1.2
_BARS_INCHES = 1.9
_LIGHT = "#C9C9C9"


@dataclass(frozen=True)
class Bar:
    """One class's bar: its probability in per cent and what it is in this face."""

    name: str
    percent: float
    role: str

    @property
    def color(self) -> str:
        """Colour of the bar; the role is also written beside it."""
        return {"predicted": VERMILION, "runner-up": ORANGE, "true": BLUE, "true, runner-up": BLUE}.get(
            self.role, _LIGHT
        )


def bars_data(mistake: Mistake, class_names: Sequence[str]) -> list[Bar]:
    """Bars of one face, in the order of the classes."""
    bars = []
    for name, probability in zip(class_names, mistake.probabilities, strict=True):
        roles = [
            word
            for word, who in (
                ("predicted", mistake.predicted),
                ("true", mistake.label),
                ("runner-up", mistake.runner_up),
            )
            if who == name
        ]
        bars.append(Bar(name, 100 * float(probability), ", ".join(roles)))
    return bars


def plot_bars(mistake: Mistake, class_names: Sequence[str], ax: Axes) -> Axes:
    """Draw the probabilities of one face as bars; predicted, true and runner-up are named at their bars."""
    bars = bars_data(mistake, class_names)
    with figure_style():
        places = range(len(bars))
        ax.barh(places, [bar.percent for bar in bars], color=[bar.color for bar in bars], height=0.75)
        size = 6.5 if len(bars) <= 8 else 5.0
        for y, bar in enumerate(bars):
            text = f"{bar.percent:.0f}" + (f" {bar.role}" if bar.role else "")
            if bar.role and bar.percent > 55:
                ax.text(bar.percent - 1.5, y, text, ha="right", va="center", fontsize=size, color="white")
            else:
                ax.text(bar.percent + 1.5, y, text, va="center", fontsize=size, color="black")
        ax.set_yticks(places, [shortened(bar.name, 16) for bar in bars], fontsize=size)
        ax.set_ylim(len(bars) - 0.4, -0.6)
        ax.set_xlim(0, 100)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines["bottom"].set_visible(False)
        ax.spines["left"].set_color(GREY)
    return ax


def plot_mistakes(
    found: Sequence[Mistake],
    images: np.ndarray,
    class_names: Sequence[str],
    *,
    columns: int = 3,
    title: str = "Misclassified images",
) -> Figure:
    """Draw misclassified faces, each beside its probabilities in per cent.

    Parameters
    ----------
    found
        The mistakes, row by row.
    images
        Levels ``[N, H, W]`` or ``[N, H, W, 3]`` of the split's faces, in the order of the predictions.
    class_names
        The C names, in the order of the probabilities.
    title
        What the faces are of; it should say "synthetic" for drawn faces.
    """
    columns = max(1, min(columns, len(found)))
    rows = max(1, -(-len(found) // columns))
    height = max(_ROW_INCHES, 0.13 * len(class_names) + 0.4)
    with figure_style():
        figure = Figure(figsize=(_width(columns), height * rows + 0.35), layout="constrained")
        _draw_faces(figure, found, images, class_names, rows, columns)
        figure.suptitle(f"{title} (probabilities in %)", x=0.01, ha="left", fontsize=10)
    return figure


def plot_confused_pairs(
    pairs: Sequence[ConfusedPair],
    predictions: Predictions,
    images: np.ndarray,
    *,
    examples: int = 3,
    order: Literal["worst", "random"] = "worst",
    title: str = "Most confused classes",
) -> Figure:
    """Draw for each pair of classes the faces of the one that were taken for the other, and the way back.

    Parameters
    ----------
    pairs
        As :func:`fer_lightning.explain.confusion.confused_pairs` gives them.
    predictions, images
        The split's logits and its pictures ``[N, H, W]`` or ``[N, H, W, 3]``, in the same order.
    examples
        Faces of each direction.
    order
        ``worst`` or ``random``, see :func:`fer_lightning.explain.mistakes.mistakes`.
    """
    names = class_names_of(predictions)
    height = max(_ROW_INCHES, 0.13 * len(names) + 0.4) + 0.3
    directions = [
        way
        for pair in pairs
        for way in (
            (pair.one, pair.other, pair.count, pair.rate),
            (pair.other, pair.one, pair.back_count, pair.back_rate),
        )
        if way[2]
    ]
    with figure_style():
        rows = max(len(directions), 1)
        figure = Figure(figsize=(_width(examples), height * rows + 0.4), layout="constrained")
        figure.suptitle(f"{title} (probabilities in %)", x=0.01, ha="left", fontsize=10)
        parts = figure.subfigures(rows, 1, squeeze=False)[:, 0]
        for part, (label, predicted, count, rate) in zip(parts, directions, strict=False):
            found = mistakes(predictions, examples, label=label, predicted=predicted, order=order)
            _draw_faces(part, found, images, names, 1, examples)
            how_many = counted(count, "image")
            text = f"{label} taken for {predicted}: {how_many}, {100 * rate:.1f} % of {label}"
            part.suptitle(text, x=0.01, ha="left", fontsize=9, fontweight="bold")
    return figure


def _width(columns: int) -> float:
    return max((_FACE_INCHES + _BARS_INCHES) * columns + 0.2, 4.0)


def _draw_faces(
    figure: Figure | SubFigure,
    found: Sequence[Mistake],
    images: np.ndarray,
    class_names: Sequence[str],
    rows: int,
    columns: int,
) -> None:
    grid = figure.subplots(
        rows, 2 * columns, squeeze=False, gridspec_kw={"width_ratios": [_FACE_INCHES, _BARS_INCHES] * columns}
    )
    for ax in grid.ravel():
        ax.set_axis_off()
    for number, mistake in enumerate(found):
        row, column = divmod(number, columns)
        face, bars = grid[row, 2 * column], grid[row, 2 * column + 1]
        show_picture(face, images[mistake.position])
        face.set_title(_caption(mistake), fontsize=6.5, loc="center")
        bars.set_axis_on()
        plot_bars(mistake, class_names, bars)


def _caption(mistake: Mistake) -> str:
    """The face's name in its source; of a long one, the end, where names differ."""
    name = mistake.id if len(mistake.id) <= 24 else f"…{mistake.id[-23:]}"
    return name or f"image {mistake.position}"
