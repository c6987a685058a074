"""What covering each region of the face costs each class, with intervals and both controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fer_lightning.explain.region_effects import RegionEffects
from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.style import BLUE, GREY, ORANGE, VERMILION, figure_style

_COLUMN_INCHES = 1.75


@dataclass(frozen=True, eq=False)
class RegionPanel:
    """One region's panel, in points; a row each class and all faces.

    Attributes
    ----------
    mean, low, high, control, untrained
        float ``[C + 1]``; bounds are NaN where there are too few faces.
    decided
        Whether more is lost than elsewhere, bool ``[C + 1]``.
    """

    region: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    control: np.ndarray
    untrained: np.ndarray
    decided: np.ndarray


def region_panels(effects: RegionEffects) -> list[RegionPanel]:
    """Panels of the figure, a region each."""
    return [
        RegionPanel(
            region,
            100 * effects.lost.mean[:, j],
            100 * effects.lost.low[:, j],
            100 * effects.lost.high[:, j],
            100 * effects.elsewhere.mean[:, j],
            100 * effects.untrained.mean[:, j],
            effects.decided[:, j],
        )
        for j, region in enumerate(effects.regions)
    ]


def plot_regions(
    effects: RegionEffects, *, title: str = "What covering a region of the face costs"
) -> Figure:
    """Draw a panel for each region, a row for each class, all on the same scale.

    Parameters
    ----------
    title
        What was measured on what; it should say "synthetic" for drawn faces.
    """
    panels = region_panels(effects)
    labels = [
        f"{shortened(name, 16)} ({faces:,})" for name, faces in zip(effects.rows, effects.faces, strict=True)
    ]
    values = np.concatenate([np.concatenate([p.mean, p.low, p.high, p.control]) for p in panels])
    finite = values[np.isfinite(values)]
    low, high = min(0.0, float(finite.min())), max(1.0, float(finite.max()))
    margin = 0.06 * (high - low)
    with figure_style():
        figure = Figure(
            figsize=(1.4 + _COLUMN_INCHES * len(panels), 2.0 + 0.3 * len(labels)), layout="constrained"
        )
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for number, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
            _draw_panel(ax, panel)
            ratio, plain = effects.sensitivity[0, number], effects.untrained_sensitivity[0, number]
            ax.set_title(f"{panel.region}\n×{ratio:.1f}, untrained ×{plain:.1f}", fontsize=9)
        axes[0].set_xlim(low - margin, high + margin)
        axes[0].set_yticks(range(len(labels)), labels)
        axes[0].set_ylim(len(labels) - 0.5, -0.5)
        what = "the true class's probability" if effects.measure == "probability" else "accuracy"
        level = f"{100 * effects.confidence:g}\N{NO-BREAK SPACE}%"
        figure.suptitle(
            f"{title}\npoints of {what} lost, covered with {effects.fill}; intervals over images, {level} for all "
            "cells together\n×: how far the logits move, against boxes of the same size elsewhere",
            x=0.01,
            ha="left",
            fontsize=10,
        )
        figure.legend(handles=_legend(), loc="outside lower center", ncols=2)
    return figure


def _draw_panel(ax: Axes, panel: RegionPanel) -> None:
    last = len(panel.mean) - 1
    ax.axhspan(last - 0.5, last + 0.5, color="#F0F0F0", zorder=0)
    ax.axvline(0, color="black", linewidth=0.9, zorder=1)
    for y in range(len(panel.mean)):
        color = VERMILION if panel.decided[y] else GREY
        ax.plot([panel.low[y], panel.high[y]], [y, y], color=color, linewidth=2, zorder=2)
        face = color if panel.decided[y] else "white"
        ax.plot(panel.mean[y], y, "o", color=color, markerfacecolor=face, markersize=5.5, zorder=4)
        ax.plot(panel.control[y], y, "|", color=BLUE, markersize=12, markeredgewidth=2, zorder=3)
        ax.plot(panel.untrained[y], y, "x", color=ORANGE, markersize=5, markeredgewidth=1.5, zorder=3)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=VERMILION, marker="o", linewidth=2, label="costs more than elsewhere"),
        Line2D(
            [],
            [],
            color=GREY,
            marker="o",
            markerfacecolor="white",
            linewidth=2,
            label="no difference from elsewhere found",
        ),
        Line2D(
            [],
            [],
            color=BLUE,
            marker="|",
            markersize=11,
            markeredgewidth=2,
            linestyle="",
            label="elsewhere: boxes of the same size",
        ),
        Line2D([], [], color=ORANGE, marker="x", linestyle="", label="untrained network, less its elsewhere"),
    ]
