"""Forest plot of an ablation: each arm's difference from the baseline with its interval and its seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fer_lightning.plots.style import BLUE, GREY, VERMILION, figure_style, new_axes

# Colour and shape both tell the verdict: no reader depends on colour alone.
_MARKS = {
    "better": (BLUE, "^", True),
    "worse": (VERMILION, "v", True),
    "no difference found": (GREY, "o", True),
    "not enough seeds": (GREY, "o", False),
    "no spread between seeds": (GREY, "s", False),
}
_OUTLIER = 4.0


@dataclass(frozen=True)
class EffectRow:
    """One arm of the figure, in the unit of the x axis (points for a share)."""

    arm: str
    label: str
    mean: float
    low: float
    high: float
    seeds: tuple[float, ...]
    verdict: str
    text: str

    @property
    def extent(self) -> float:
        """Farthest point from zero that is drawn."""
        return max(abs(x) for x in (self.mean, self.low, self.high, *self.seeds) if not math.isnan(x))


@dataclass(frozen=True)
class EffectsData:
    """What the figure shows: rows from top to bottom, and the half-width of the x axis."""

    title: str
    x_label: str
    rows: tuple[EffectRow, ...]
    limit: float
    absent: tuple[str, ...] = ()


def axis_limit(extents: list[float], near: float = 0.0) -> float:
    """Half-width that shows the arms without letting a broken one squeeze the others.

    A stuck network may lie 40 points below arms that differ by one; where the sorted extents jump by more
    than fourfold in their upper half, what is beyond the jump goes off the axis and is marked at its edge.
    An extent below `near` counts as that.
    """
    ordered = sorted(e for e in extents if e > 0)
    if not ordered:
        return 1.0
    for i in range(len(ordered) // 2, len(ordered) - 1):
        if ordered[i + 1] > _OUTLIER * max(ordered[i], near):
            return 1.1 * ordered[i]
    return 1.1 * ordered[-1]


def plot_effects(data: EffectsData, ax: Axes | None = None) -> Axes:
    """Draw the forest plot; without `ax` on a new figure whose height follows the number of arms."""
    labels = [row.label for row in data.rows]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    with figure_style():
        if ax is None:
            ax = new_axes(8.6 if lines == 1 else 9.6, 1.7 + (0.17 + 0.12 * lines) * max(len(data.rows), 2))
        for y, row in enumerate(data.rows):
            _draw_row(ax, y, row, data.limit)
        ax.axvline(0, color="black", linewidth=0.9, zorder=1)
        ax.set_xlim(-data.limit, data.limit)
        ax.set_ylim(len(data.rows) - 0.4, -0.6)
        ax.set_yticks(range(len(data.rows)), labels)
        ax.tick_params(axis="y", length=0, labelsize=8 if lines == 1 else 7)
        ax.grid(axis="x")
        ax.set_title(data.title)
        ax.set_xlabel(data.x_label + (f"\nno common seed: {', '.join(data.absent)}" if data.absent else ""))
        _numbers_on_the_right(ax, data)
        _legend(ax, data)
    return ax


def _draw_row(ax: Axes, y: int, row: EffectRow, limit: float) -> None:
    color, marker, filled = _MARKS.get(row.verdict, _MARKS["no difference found"])
    if abs(row.mean) > limit:
        edge = math.copysign(0.98 * limit, row.mean)
        ax.plot(edge, y, marker=">" if edge > 0 else "<", color=color, markersize=9, clip_on=False, zorder=4)
        return
    if not math.isnan(row.low):
        ax.plot([row.low, row.high], [y, y], color=color, linewidth=2.0, solid_capstyle="butt", zorder=2)
    ax.plot(row.seeds, [y + 0.24] * len(row.seeds), ".", color=color, markersize=4.5, alpha=0.75, zorder=3)
    face = color if filled else "white"
    ax.plot(row.mean, y, marker=marker, color=color, markerfacecolor=face, markersize=6.5, zorder=4)


def _numbers_on_the_right(ax: Axes, data: EffectsData) -> None:
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(data.rows)), [row.text for row in data.rows])
    right.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)


def _legend(ax: Axes, data: EffectsData) -> None:
    handles = []
    for word, (color, marker, filled) in _MARKS.items():
        if any(row.verdict == word for row in data.rows):
            face = color if filled else "white"
            width = 1.5 if filled else 0.0
            handles.append(
                Line2D([], [], color=color, marker=marker, markerfacecolor=face, linewidth=width, label=word)
            )
    handles.append(Line2D([], [], color=GREY, marker=".", linestyle="", label="each seed's difference"))
    if any(abs(row.mean) > data.limit for row in data.rows):
        handles.append(
            Line2D([], [], color=GREY, marker="<", markersize=8, linestyle="", label="beyond the axis")
        )
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
