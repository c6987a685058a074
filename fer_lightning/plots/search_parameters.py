"""Figures of where a search looked: parallel coordinates and one slice for each parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from fer_lightning.plots.search import is_drawn, last_value, log_parameters
from fer_lightning.plots.style import GREY, ORANGE, SEQUENTIAL, VERMILION, figure_style, new_axes
from fer_lightning.sweeps.study.constraints import violated

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ABSENT = "not set"
# The state of a trial that violates a constraint, whatever Optuna calls it.
INFEASIBLE = "INFEASIBLE"


@dataclass(frozen=True)
class Scale:
    """Where a parameter's values lie on an axis from 0 to 1, and what stands beside it.

    Attributes
    ----------
    name : of the parameter
    positions : for each trial a place in 0..1; NaN where the parameter does not apply
    ticks, labels : places and what stands there
    log : whether the numbers span orders of magnitude and are placed by their logarithm
    numbers : the values of a numeric parameter (NaN where absent), None for a categorical one
    """

    name: str
    positions: tuple[float, ...]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    log: bool
    numbers: tuple[float, ...] | None


def parameter_scale(name: str, trials: Sequence[FrozenTrial]) -> Scale:
    """Place the values of one parameter: numbers by size (or logarithm, if searched so), others by order."""
    values = [trial.params.get(name) for trial in trials]
    present = [value for value in values if value is not None]
    if present and all(isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        numbers = [math.nan if v is None else float(v) for v in values]
        return _numeric(name, numbers, name in log_parameters(trials))
    levels = sorted({str(value) for value in present})
    step = 1 / max(len(levels) - 1, 1)
    place = {level: i * step if len(levels) > 1 else 0.5 for i, level in enumerate(levels)}
    positions = tuple(math.nan if v is None else place[str(v)] for v in values)
    return Scale(name, positions, tuple(place.values()), tuple(levels), False, None)


def _numeric(name: str, numbers: list[float], log: bool) -> Scale:
    known = np.array([x for x in numbers if not math.isnan(x)])
    low, high = float(known.min()), float(known.max())
    if low == high:
        positions = tuple(math.nan if math.isnan(x) else 0.5 for x in numbers)
        return Scale(name, positions, (0.5,), (f"{low:.3g}",), False, tuple(numbers))
    change = math.log10 if log else float
    span = change(high) - change(low)
    positions = tuple(math.nan if math.isnan(x) else (change(x) - change(low)) / span for x in numbers)
    locator = LogLocator(numticks=6) if log else MaxNLocator(5)
    marks = [float(m) for m in locator.tick_values(low, high) if low <= m <= high]
    ticks = tuple((change(m) - change(low)) / span for m in marks)
    return Scale(name, positions, ticks, tuple(f"{m:.3g}" for m in marks), log, tuple(numbers))


@dataclass(frozen=True)
class SpaceData:
    """Trials with a value, the worst first (the best are drawn on top), and the place of their parameters."""

    values: tuple[float, ...]
    states: tuple[str, ...]
    scales: tuple[Scale, ...]
    metric: str
    title: str
    maximize: bool = True


def space_data(
    trials: Sequence[FrozenTrial],
    metric: str = "val/acc",
    *,
    place: int = 0,
    params: Sequence[str] | None = None,
    maximize: bool = True,
    title: str = "",
) -> SpaceData:
    """What both figures show of one objective; `params` chooses and orders the parameters (by default all)."""
    drawn = [trial for trial in trials if is_drawn(trial, place)]
    drawn.sort(key=lambda trial: last_value(trial, place) or 0.0, reverse=not maximize)
    names = list(params) if params is not None else list(dict.fromkeys(n for t in drawn for n in t.params))
    scales = tuple(parameter_scale(name, drawn) for name in names if any(name in t.params for t in drawn))
    values = tuple(float(last_value(trial, place) or 0.0) for trial in drawn)
    return SpaceData(values, tuple(map(_state, drawn)), scales, metric, title, maximize)


def _state(trial: FrozenTrial) -> str:
    return INFEASIBLE if violated(trial) else trial.state.name


def _colors(data: SpaceData) -> ScalarMappable:
    # A pruned trial's last value comes from an early step: it says nothing beside a finished one.
    done = [v for v, state in zip(data.values, data.states, strict=True) if state == "COMPLETE"] or [0.0]
    # One that has diverged must not make all others alike: it has the colour of the worst of them.
    quarter, three = np.quantile(done, (0.25, 0.75))
    reach = 3 * (three - quarter)
    low, high = max(min(done), quarter - reach), min(max(done), three + reach)
    # The better the darker, whichever end that is at: light lines recede on white.
    map_name = f"{SEQUENTIAL}_r" if data.maximize else SEQUENTIAL
    return ScalarMappable(Normalize(low, high if high > low else low + 1e-9), colormaps[map_name])


def plot_parallel(data: SpaceData, ax: Axes | None = None) -> Axes:
    """Draw one line for each trial through its parameters; a parameter that does not apply lies below the axes.

    The better a trial, the darker its line; the best one is drawn broad, in a colour of its own.
    """
    with figure_style():
        ax = ax or new_axes(2.6 + 1.5 * max(len(data.scales), 2), 4.2)
        colors = _colors(data)
        below = any(math.isnan(p) for scale in data.scales for p in scale.positions)
        best = max((i for i, state in enumerate(data.states) if state == "COMPLETE"), default=None)
        marker = "o" if len(data.scales) == 1 else ""  # a line through one axis is a point
        for i, value in enumerate(data.values):
            places = [scale.positions[i] for scale in data.scales]
            y = [-0.12 if math.isnan(place) else place for place in places]
            if data.states[i] != "COMPLETE":
                ax.plot(range(len(y)), y, marker=marker, color="#BDBDBD", alpha=0.5, lw=0.7, zorder=1.5)
            elif i == best:
                label = f"best: {value:.4g}"
                ax.plot(range(len(y)), y, marker=marker, color=VERMILION, lw=2.4, zorder=3, label=label)
            else:
                color = colors.to_rgba(np.array(value))
                ax.plot(range(len(y)), y, marker=marker, color=color, alpha=0.85, lw=1.2)
        for x, scale in enumerate(data.scales):
            ax.axvline(x, ymin=0, color=GREY, linewidth=0.8, zorder=1)
            for place, label in zip(scale.ticks, scale.labels, strict=True):
                box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
                ax.text(x + 0.03, place, label, fontsize=7, va="center", bbox=box, zorder=5)
        ax.set_xticks(range(len(data.scales)), [_tick(scale) for scale in data.scales])
        ax.set_yticks([-0.12] if below else [], [ABSENT] if below else [])
        ax.set_ylim(-0.2 if below else -0.06, 1.06)
        ax.set_xlim(-0.2, max(len(data.scales) - 1, 0) + 0.55)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_title(data.title or "Parameters of each trial (grey: pruned)")
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.colorbar(colors, ax=ax, label=f"{data.metric} (darker is better)", pad=0.02)
        if best is not None and data.scales:
            ax.legend(loc="upper left", bbox_to_anchor=(0, -0.14))
    return ax


def _tick(scale: Scale) -> str:
    *group, last = scale.name.rsplit(".", 1)
    return "\n".join([*(f"{part}." for part in group), last])


def plot_slices(data: SpaceData, figure: Figure | None = None) -> Figure:
    """Draw the value against each parameter, one panel a parameter, four in a row; pruned trials are crosses.

    Infeasible ones are diamonds.
    """
    count = max(len(data.scales), 1)
    columns = min(count, 4)
    rows = math.ceil(count / columns)
    with figure_style():
        figure = figure or Figure(figsize=(0.8 + 2.3 * columns, 0.6 + 2.3 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for ax, scale in zip(axes, data.scales, strict=False):
            _draw_slice(ax, scale, data)
        for ax in axes[len(data.scales) :]:
            ax.set_visible(False)
        for ax in axes[::columns]:
            ax.set_ylabel(data.metric)
        figure.suptitle(
            data.title or "Value by parameter (crosses: pruned, at their last value)", fontsize=10
        )
    return figure


def _draw_slice(ax: Axes, scale: Scale, data: SpaceData) -> None:
    """One panel; levels of a categorical parameter are spread a little, so that equal points stay visible."""
    rng = np.random.default_rng(0)
    for state, marker, color in (("COMPLETE", "o", None), ("PRUNED", "x", GREY), (INFEASIBLE, "d", ORANGE)):
        chosen = [i for i, s in enumerate(data.states) if s == state and not math.isnan(scale.positions[i])]
        y = [data.values[i] for i in chosen]
        if scale.numbers is not None:
            x = [scale.numbers[i] for i in chosen]
        else:
            x = [scale.positions[i] + 0.04 * rng.uniform(-1, 1) for i in chosen]
        ax.plot(x, y, marker, color=color, markersize=3.5, alpha=0.75)
    if scale.numbers is None:
        ax.set_xticks(scale.ticks, scale.labels, rotation=30 if len(scale.labels) > 2 else 0, ha="center")
        ax.set_xlim(-0.15, 1.15)
    elif scale.log:
        ax.set_xscale("log")
        # Not the powers of Matplotlib's own, which are typeset.
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(scale.name.rsplit(".", 1)[-1])
    ax.grid(axis="y")
