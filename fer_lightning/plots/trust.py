"""The checks of every saliency method side by side, the controls and the thresholds in sight."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from matplotlib.axes import Axes

from fer_lightning.explain.trust_checks import MethodTrust, TrustReport, TrustRules
from fer_lightning.explain.trust_checks.estimate import Estimate
from fer_lightning.explain.trust_checks.trust_verdict import CONTROL, FAILED_BY, TRUSTED, failures
from fer_lightning.plots.style import BLUE, GREY, VERMILION, figure_style, new_axes


@dataclass(frozen=True)
class Panel:
    """One check: its estimates by method, ``None`` where it does not apply, and where its threshold lies.

    Attributes
    ----------
    title, direction
        The check, and which side is good.
    estimates
        One a method.
    threshold
        On the panel's axis.
    passed
        Whether each method's interval lies on the good side; ``None`` for controls and where it does not apply.
    """

    title: str
    direction: str
    estimates: tuple[Estimate | None, ...]
    threshold: float
    passed: tuple[bool | None, ...]

    def limits(self) -> tuple[float, float]:
        """Return the ends of the axis: all intervals, the threshold and 0 are within."""
        values = [x for each in self.estimates if each for x in (each.low, each.high)] + [self.threshold, 0.0]
        values = [value for value in values if math.isfinite(value)]
        margin = 0.08 * max(max(values) - min(values), 1e-6)
        return min(values) - margin, max(values) + margin


@dataclass(frozen=True)
class TrustData:
    """What the figure shows: methods from top to bottom with their verdicts, and a panel a check."""

    methods: tuple[str, ...]
    verdicts: tuple[str, ...]
    panels: tuple[Panel, ...]
    caption: str


def trust_data(report: TrustReport) -> TrustData:
    """Return a panel for each check that at least one method has, with Sobel's gain as the first one's threshold."""
    rules = report.rules
    sobel = report["sobel"].checks["faithfulness"].mean
    panels = []
    for check, title, direction, threshold in (
        ("faithfulness", "insertion − deletion", "more is better →", sobel + rules.min_gain_over_edges),
        ("redrawn", "similarity under\nredrawn weights", "← less is better", rules.max_redrawn_similarity),
        ("other_class", "similarity to\nanother class", "← less is better", rules.max_class_similarity),
        ("completeness", "completeness\nerror", "← less is better", rules.max_completeness_error),
    ):
        estimates = tuple(each.checks.get(check) for each in report.methods)
        if any(estimates):
            passed = tuple(_passed(each, check, rules) for each in report.methods)
            panels.append(Panel(title, direction, estimates, threshold, passed))
    return TrustData(
        methods=tuple(each.name for each in report.methods),
        verdicts=tuple(each.verdict for each in report.methods),
        panels=tuple(panels),
        caption=(
            f"{report.settings()}. Dashed: what has to be passed by the whole interval; for insertion − deletion that "
            "is the edges' gain, compared image by image."
        ),
    )


def _passed(found: MethodTrust, check: str, rules: TrustRules) -> bool | None:
    """Say whether a method passes; the gain is judged by its paired differences, not by the interval that is drawn."""
    if found.verdict == CONTROL or check not in found.checks:
        return None
    failed = failures(found.checks, rules)
    return not any(word in failed for word in FAILED_BY[check])


def plot_trust(data: TrustData, ax: Axes | None = None) -> Axes:
    """Draw the panels and the caption in the place of ``ax``; without it on a new figure.

    Raises
    ------
    ValueError
        ``ax`` is not one of a grid's axes: its place cannot be divided.
    """
    with figure_style():
        if ax is None:
            ax = new_axes(2.2 + 1.7 * len(data.panels) + 1.7, 1.9 + 0.3 * len(data.methods))
        figure, place = ax.figure, ax.get_subplotspec()
        if place is None:
            raise ValueError("ax: expected axes of a grid, as figure.subplots makes them")
        whole = figure.get_figure(root=True)
        assert whole is not None
        grid = place.subgridspec(
            2, len(data.panels), wspace=0.08, height_ratios=[0.9 + 0.3 * len(data.methods), 0.5]
        )
        for number, panel in enumerate(data.panels):
            part = figure.add_subplot(grid[0, number])
            _draw_panel(part, panel, data.methods if number == 0 else None)
        _verdicts_on_the_right(part, data)
        below = figure.add_subplot(grid[1, :])
        caption = textwrap.fill(data.caption, int(13.5 * whole.get_size_inches()[0]))
        below.text(0, 1, caption, ha="left", va="top", fontsize=8, transform=below.transAxes)
        below.set_axis_off()
        ax.set_axis_off()
    return ax


def _draw_panel(ax: Axes, panel: Panel, names: tuple[str, ...] | None) -> None:
    for y, (estimate, passed) in enumerate(zip(panel.estimates, panel.passed, strict=True)):
        if estimate is None:
            ax.text(0.5, y, "–", ha="center", va="center", color=GREY, transform=ax.get_yaxis_transform())
            continue
        # Shape tells what colour tells: no reader depends on colour alone.
        color, marker = {True: (BLUE, "o"), False: (VERMILION, "X"), None: (GREY, "D")}[passed]
        ax.plot([estimate.low, estimate.high], [y, y], color=color, linewidth=2, solid_capstyle="butt")
        size = {"o": 7, "X": 9, "D": 6}[marker]
        ax.plot(estimate.mean, y, marker, color=color, markersize=size, markeredgecolor="white")
    ax.axvline(panel.threshold, color="black", linewidth=0.9, linestyle="--", zorder=1)
    ax.set_xlim(*panel.limits())
    ax.set_ylim(len(panel.estimates) - 0.4, -0.6)
    ax.set_yticks(range(len(panel.estimates)), names or [""] * len(panel.estimates))
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x")
    ax.set_title(panel.title, fontsize=9)
    ax.set_xlabel(panel.direction, fontsize=8)


def _verdicts_on_the_right(ax: Axes, data: TrustData) -> None:
    for y, word in enumerate(data.verdicts):
        color = {TRUSTED: BLUE, CONTROL: GREY}.get(word, VERMILION)
        ax.annotate(
            word.replace(", ", ",\n"),
            (1.0, y),
            xycoords=ax.get_yaxis_transform(),
            xytext=(8, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=8,
            color=color,
            fontweight="bold" if word == TRUSTED else "normal",
            annotation_clip=False,
        )
