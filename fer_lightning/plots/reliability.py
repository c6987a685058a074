"""Reliability diagrams: how often a class is right that a net is so and so sure of, before and after a temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.plots.style import BLUE, GREY, VERMILION, figure_style
from fer_lightning.stats.arm_calibration import ArmCalibration
from fer_lightning.stats.calibration import Reliability

MOST = 24  # diagrams in a figure
_COLUMNS = 4
_INCHES = 2.3


def reliability_points(found: Reliability) -> np.ndarray:
    """Points of a diagram in per cent, float64 ``[B, 2]``: mean confidence and accuracy of each bin."""
    return 100 * np.array([[each.confidence, each.accuracy] for each in found.bins])


def plot_reliability(arm: ArmCalibration, ax: Axes) -> Axes:
    """Draw an arm's diagram: on the diagonal accuracy is confidence, below it the net is too sure."""
    with figure_style():
        ax.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, linestyle=":")
        for found, color, marker, label in (
            (arm.drawn_before, VERMILION, "o", "as trained"),
            (arm.drawn_after, BLUE, "s", "at its temperature"),
        ):
            points = reliability_points(found)
            ax.plot(
                points[:, 0], points[:, 1], color=color, marker=marker, markersize=3, linewidth=1, label=label
            )
        ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        ax.set_title(title_of(arm), fontsize=7.5)
    return ax


def title_of(arm: ArmCalibration) -> str:
    """The lines above an arm's diagram: its name, mean temperature and errors in per cent."""
    name = arm.arm if len(arm.arm) <= 34 else f"{arm.arm[:16]}…{arm.arm[-17:]}"
    before, after = 100 * arm.before.ece, 100 * arm.after.ece
    return f"{name}\nT {np.mean(arm.temperatures):.2f}, error {before:.1f} → {after:.1f} %"


def plot_calibration(arms: Sequence[ArmCalibration], title: str) -> Figure:
    """Draw a diagram for each arm, of the validation faces that no temperature was fitted on.

    Parameters
    ----------
    arms
        At least one; the first `MOST` are drawn, which the title says where there are more.
    title
        What they are of; it should say "synthetic" for drawn faces.
    """
    shown = arms[:MOST]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with figure_style():
        figure = Figure(
            figsize=(max(_INCHES * columns + 0.3, 5.2), (_INCHES + 0.25) * rows + 1.0), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for ax in grid.ravel()[len(shown) :]:
            ax.set_axis_off()
        for arm, ax in zip(shown, grid.ravel(), strict=False):
            plot_reliability(arm, ax)
        more = f" (the first {MOST} of {len(arms)} arms)" if len(arms) > MOST else ""
        figure.suptitle(f"Calibration{more}, {title}", x=0.01, ha="left", fontsize=10)
        figure.supxlabel("probability of the predicted class, %", fontsize=8.5)
        figure.supylabel("right, %", fontsize=8.5)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure
