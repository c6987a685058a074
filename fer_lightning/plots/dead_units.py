"""Shares of dead units: of each layer in several runs, and over the epochs of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from fer_lightning.explain.unit_watch import LayerUnits
from fer_lightning.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure_style, new_axes

_COLORS = (VERMILION, BLUE, GREEN, ORANGE, PURPLE, GREY)
_MARKERS = "osD^vP"


def layer_labels(layers: Sequence[str]) -> list[str]:
    """Return short names of activation layers: what all have in common says nothing and is left out."""
    drop = {"model", "features", "classifier"}
    return [
        ".".join(part for part in name.split(".") if part not in drop).replace("activation", "act")
        for name in layers
    ]


def plot_dead_units(
    runs: Mapping[str, Sequence[LayerUnits]],
    ax: Axes | None = None,
    *,
    title: str = "Units that never activate",
) -> Axes:
    """Draw the share of dead units of each layer, from the first layer at the top; each run has colour and shape.

    Filled marks are dead units; a hollow mark is drawn where more give the same output for every face, dead or not.

    Parameters
    ----------
    runs
        Layers of each run, by the run's name; runs of the same net.
    title
        What was measured; it should say "synthetic" for drawn faces.
    """
    layers = list(dict.fromkeys(units.layer for rows in runs.values() for units in rows))
    with figure_style():
        if ax is None:
            ax = new_axes(6.6, 1.7 + 0.15 * len(runs) + 0.27 * max(len(layers), 3))
        offsets = np.linspace(-0.16, 0.16, len(runs)) if len(runs) > 1 else np.zeros(1)
        for number, (offset, (name, rows)) in enumerate(zip(offsets, runs.items(), strict=True)):
            color, marker = _COLORS[number % len(_COLORS)], _MARKERS[number % len(_MARKERS)]
            y = np.array([layers.index(units.layer) for units in rows]) + offset
            dead = np.array([100 * units.dead for units in rows])
            constant = np.array([100 * units.constant for units in rows])
            more = constant > dead
            ax.plot(dead, y, marker, color=color, markersize=6, label=name, zorder=3, clip_on=False)
            ax.plot(
                constant[more],
                y[more],
                marker,
                color=color,
                markerfacecolor="white",
                markersize=6,
                zorder=2,
                clip_on=False,
            )
        counts = {units.layer: units.units for rows in runs.values() for units in rows}
        names = [
            f"{label} ({counts[layer]:,})" for label, layer in zip(layer_labels(layers), layers, strict=True)
        ]
        ax.set_yticks(range(len(layers)), names)
        ax.set_ylim(len(layers) - 0.5, -0.5)
        ax.set_xlim(-2, 102)
        ax.grid(axis="both")
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("share of the activation layer's units, %; their number stands after the name")
        ax.set_title(title)
        _legend(ax)
    return ax


def _legend(ax: Axes) -> None:
    handles, _ = ax.get_legend_handles_labels()
    hollow = Line2D(
        [],
        [],
        color=GREY,
        marker="o",
        markerfacecolor="white",
        linestyle="",
        label="hollow: same output for every image",
    )
    figure = ax.get_figure(root=True)
    assert figure is not None
    # In inches below the axes: a legend outside the figure's layout leaves an empty band above it.
    below = ScaledTranslation(0, -0.42, figure.dpi_scale_trans)
    ax.legend(
        handles=[*handles, hollow],
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        ncols=2,
    )


def plot_dead_history(
    history: Mapping[str, Sequence[float]],
    ax: Axes | None = None,
    *,
    first_epoch: int = 1,
    title: str = "Units that never activate",
) -> Axes:
    """Draw the share of dead units of each layer over the epochs, early layers dark and late ones bright.

    Parameters
    ----------
    history
        For each layer its shares in [0, 1], an epoch each; NaN where an epoch was not measured.
    first_epoch
        Number of the first of them.
    """
    with figure_style():
        if ax is None:
            ax = new_axes(6.8, 3.6)
        colors = mpl.colormaps["viridis"](np.linspace(0, 0.9, max(len(history), 1)))
        for color, marker, (label, shares) in zip(
            colors,
            _MARKERS * len(history),
            zip(layer_labels(list(history)), history.values(), strict=True),
            strict=False,
        ):
            epochs = np.arange(first_epoch, first_epoch + len(shares))
            ax.plot(epochs, 100 * np.asarray(shares), color=color, marker=marker, markersize=4, label=label)
        ax.set_ylim(-2, 102)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y")
        ax.set_xlabel("epoch")
        ax.set_ylabel("dead units of the layer, %")
        ax.set_title(title)
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper")
    return ax
