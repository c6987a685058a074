"""Figures of a data set's audit: faces of each class and split, and how many of them are copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.data.audit import AuditReport
from fer_lightning.plots.style import BLUE, GREEN, ORANGE, figure_style, new_axes

_SPLIT_COLORS = {"train": BLUE, "val": ORANGE, "test": GREEN}


@dataclass(frozen=True)
class BarsData:
    """Groups of bars.

    Attributes
    ----------
    groups
        Name of each group on the x axis.
    bars
        For each split the height of its bar in every group; the legend's words are the keys.
    """

    title: str
    x_label: str
    y_label: str
    groups: tuple[str, ...]
    bars: dict[str, tuple[float, ...]]


def class_counts_data(report: AuditReport) -> BarsData:
    """Shares of the classes in each split, in per cent: the splits' sizes differ too much for counts."""
    bars = {
        f"{split.split} ({split.faces:,} images)": tuple(100 * n / split.faces for n in split.class_counts)
        for split in report.splits
    }
    title = f"{report.title}: classes of {report.faces:,} images"
    return BarsData(title, "class", "share of the split, %", report.class_names, bars)


def copies_data(report: AuditReport) -> BarsData:
    """For each split, the number of faces with a copy in train, val and test, and of blank ones."""
    groups = [f"copy in {split.split}" for split in report.splits]
    bars = {
        split.split: (*(float(n) for n in split.copies_in.values()), float(split.blank))
        for split in report.splits
    }
    title = f"{report.title}: exact copies and blank images"
    return BarsData(title, "", "images of the split", (*groups, "blank"), bars)


def plot_bars(data: BarsData, ax: Axes | None = None, *, numbers: bool = False) -> Axes:
    """Draw groups of bars, one bar a split; with `numbers` each bar's height is written over it."""
    with figure_style():
        if ax is None:
            ax = new_axes(7.0, 3.4)
        width = 0.8 / max(len(data.bars), 1)
        for i, (name, heights) in enumerate(data.bars.items()):
            x = np.arange(len(heights)) + (i - (len(data.bars) - 1) / 2) * width
            bars = ax.bar(x, heights, width * 0.94, label=name, color=_SPLIT_COLORS.get(name.split(" ")[0]))
            if numbers:
                ax.bar_label(bars, [f"{height:,.0f}" for height in heights], fontsize=7, padding=1)
        ax.set_xticks(range(len(data.groups)), data.groups)
        if sum(map(len, data.groups)) > 80:
            ax.tick_params(axis="x", rotation=45)
        ax.grid(axis="y")
        ax.set_title(data.title)
        ax.set_xlabel(data.x_label)
        ax.set_ylabel(data.y_label)
        top = max((height for heights in data.bars.values() for height in heights), default=0.0)
        ax.set_ylim(
            0, 1.25 * top or 1.0
        )  # room for the legend; without any findings an empty count, not a negative one
        ax.legend(loc="upper right", ncols=len(data.bars))
    return ax


def audit_figure(report: AuditReport) -> Figure:
    """Give the figure of a whole audit: class shares above, copies and blanks below."""
    with figure_style():
        figure = Figure(figsize=(7.5, 6.4), layout="constrained")
        above, below = figure.subplots(2, 1)
        plot_bars(class_counts_data(report), above)
        plot_bars(copies_data(report), below, numbers=True)
    return figure
