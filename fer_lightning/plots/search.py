"""Figures of a hyperparameter search: how the best value grew, and which parameters matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from fer_lightning.plots.style import BLUE, GREY, ORANGE, VERMILION, figure_style, new_axes
from fer_lightning.sweeps.study.constraints import violated

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def last_value(trial: FrozenTrial, place: int = 0) -> float | None:
    """A trial's objective at a place, of a pruned trial what it last reported; None where there is none."""
    if trial.state.name == "COMPLETE" and trial.values is not None:
        return trial.values[place]
    if trial.state.name == "PRUNED" and trial.intermediate_values:
        return trial.intermediate_values[max(trial.intermediate_values)]
    return None


def is_drawn(trial: FrozenTrial, place: int = 0) -> bool:
    """Say whether a trial has a finite value to draw."""
    value = last_value(trial, place)
    return value is not None and math.isfinite(value)


def log_parameters(trials: Sequence[FrozenTrial]) -> frozenset[str]:
    """Parameters that were searched on a logarithmic scale."""
    return frozenset(
        name
        for trial in trials
        for name, space in trial.distributions.items()
        if getattr(space, "log", False)
    )


@dataclass(frozen=True)
class HistoryData:
    """Points of the optimisation history: numbers and values by state, and the best so far.

    ``infeasible`` are trials that violate a constraint; no other list has them.
    """

    complete: tuple[tuple[int, float], ...]
    pruned: tuple[tuple[int, float], ...]
    failed: tuple[int, ...]
    best: tuple[tuple[int, float], ...]
    metric: str
    title: str
    infeasible: tuple[tuple[int, float], ...] = ()


def history_data(
    trials: Sequence[FrozenTrial],
    metric: str = "val/acc",
    *,
    place: int = 0,
    maximize: bool = True,
    title: str = "",
) -> HistoryData:
    """What the history shows of the objective at a place; the best so far is of complete, feasible trials only."""
    drawn = {
        state: [
            (trial.number, last_value(trial, place) or 0.0)
            for trial in trials
            if trial.state.name == state and is_drawn(trial, place)
        ]
        for state in ("COMPLETE", "PRUNED")
    }
    refused = {trial.number for trial in trials if violated(trial)}
    infeasible = [point for points in drawn.values() for point in points if point[0] in refused]
    complete, pruned = ([p for p in drawn[state] if p[0] not in refused] for state in ("COMPLETE", "PRUNED"))
    failed = tuple(
        trial.number
        for trial in trials
        if trial.state.name == "FAIL" or (trial.state.name == "COMPLETE" and not is_drawn(trial, place))
    )
    best: list[tuple[int, float]] = []
    for number, value in sorted(complete):
        improved = not best or (value > best[-1][1] if maximize else value < best[-1][1])
        best.append((number, value if improved else best[-1][1]))
    if best and trials:
        best.append((max(t.number for t in trials), best[-1][1]))
    return HistoryData(tuple(complete), tuple(pruned), failed, tuple(best), metric, title, tuple(infeasible))


def plot_history(data: HistoryData, ax: Axes | None = None) -> Axes:
    """Draw every trial's value by its number, with the best so far as a line."""
    with figure_style():
        ax = ax or new_axes(7.2, 3.6)
        for points, color, marker, label in (
            (data.complete, BLUE, "o", f"complete ({len(data.complete)})"),
            (data.pruned, GREY, "x", f"pruned, last value ({len(data.pruned)})"),
            (data.infeasible, ORANGE, "d", f"infeasible ({len(data.infeasible)})"),
        ):
            if points:
                x, y = zip(*points, strict=True)
                ax.plot(x, y, marker, color=color, markersize=4, alpha=0.8, label=label)
        for i, number in enumerate(data.failed):
            label = f"failed ({len(data.failed)})" if i == 0 else "_"
            ax.plot(number, 0.02, "|", color=VERMILION, transform=ax.get_xaxis_transform(), label=label)
        if data.best:
            x, y = zip(*data.best, strict=True)
            ax.step(x, y, where="post", color="black", label=f"best so far: {y[-1]:.4g}")
        ax.set(xlabel="trial", ylabel=data.metric, title=data.title or "Optimisation history")
        ax.grid(axis="y")
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=4)
    return ax


def plot_importance(importance: dict[str, float], ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw each parameter's share of the variance, the largest on top."""
    names = sorted(importance, key=lambda name: importance[name])
    with figure_style():
        ax = ax or new_axes(6.4, 1.3 + 0.3 * max(len(names), 1))
        bars = ax.barh(names, [100 * importance[name] for name in names], color=BLUE, height=0.6)
        ax.bar_label(bars, [f"{100 * importance[name]:.1f} %" for name in names], padding=3, fontsize=8)
        ax.set_xlim(0, max([100 * share for share in importance.values()] or [1]) * 1.15 or 1)
        ax.set(xlabel="share of the variance, % (fANOVA)", title=title or "Parameter importance")
        ax.tick_params(axis="y", length=0)
    return ax
