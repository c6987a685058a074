"""Figures of a hyperparameter search: how the best value grew, and which parameters matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from fer_lightning.plots.style import BLUE, GREY, VERMILION, figure_style, new_axes

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a search as the figures see it.

    Attributes
    ----------
    number : of the trial
    state : COMPLETE, PRUNED, FAIL, RUNNING or WAITING
    value : the objective; of a pruned trial what it last reported; None where there is none
    params : parameter → value; conditional ones only where they apply
    intermediate : step → reported value
    log_params : parameters that were searched on a logarithmic scale
    """

    number: int
    state: str
    value: float | None
    params: dict[str, object] = field(default_factory=dict)
    intermediate: dict[int, float] = field(default_factory=dict)
    log_params: frozenset[str] = frozenset()

    @property
    def drawn(self) -> bool:
        """Whether there is a finite value to draw."""
        return self.value is not None and math.isfinite(self.value)


def trial_records(study: optuna.Study, objective: int = 0) -> list[TrialRecord]:
    """Trials of an Optuna study in order; of several objectives the one at place `objective`."""
    records = []
    for trial in study.get_trials(deepcopy=False):
        values = trial.values
        if values is not None and trial.state.name == "COMPLETE":
            value: float | None = values[objective]
        elif trial.intermediate_values and trial.state.name == "PRUNED":
            value = trial.intermediate_values[max(trial.intermediate_values)]
        else:
            value = None
        log = frozenset(name for name, space in trial.distributions.items() if getattr(space, "log", False))
        reported = dict(trial.intermediate_values)
        records.append(TrialRecord(trial.number, trial.state.name, value, dict(trial.params), reported, log))
    return records


@dataclass(frozen=True)
class HistoryData:
    """Points of the optimisation history: numbers and values by state, and the best so far."""

    complete: tuple[tuple[int, float], ...]
    pruned: tuple[tuple[int, float], ...]
    failed: tuple[int, ...]
    best: tuple[tuple[int, float], ...]
    metric: str
    title: str


def history_data(
    trials: Sequence[TrialRecord], metric: str = "val/acc", *, maximize: bool = True, title: str = ""
) -> HistoryData:
    """What the history shows; the best so far counts complete trials only."""
    complete = [
        (t.number, t.value) for t in trials if t.state == "COMPLETE" and t.value is not None and t.drawn
    ]
    pruned = [(t.number, t.value) for t in trials if t.state == "PRUNED" and t.value is not None and t.drawn]
    failed = tuple(t.number for t in trials if t.state == "FAIL" or (t.state == "COMPLETE" and not t.drawn))
    best: list[tuple[int, float]] = []
    for number, value in sorted(complete):
        improved = not best or (value > best[-1][1] if maximize else value < best[-1][1])
        best.append((number, value if improved else best[-1][1]))
    if best and trials:
        best.append((max(t.number for t in trials), best[-1][1]))
    return HistoryData(tuple(complete), tuple(pruned), failed, tuple(best), metric, title)


def plot_history(data: HistoryData, ax: Axes | None = None) -> Axes:
    """Draw every trial's value by its number, with the best so far as a line."""
    with figure_style():
        ax = ax or new_axes(7.2, 3.6)
        for points, color, marker, label in (
            (data.complete, BLUE, "o", f"complete ({len(data.complete)})"),
            (data.pruned, GREY, "x", f"pruned, last value ({len(data.pruned)})"),
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
