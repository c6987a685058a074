from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import optuna
import pytest
from matplotlib.figure import Figure
from optuna.distributions import FloatDistribution

from fer_lightning.plots.search import (
    history_data,
    is_drawn,
    last_value,
    log_parameters,
    plot_history,
    plot_importance,
)
from fer_lightning.plots.search_parameters import (
    _colors,
    parameter_scale,
    plot_parallel,
    plot_slices,
    space_data,
)
from fer_lightning.report.search_figures import write_search_figures
from frozen_trials import frozen_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)

TRIALS = [
    frozen_trial(
        0,
        "COMPLETE",
        0.5,
        {"lr": 1e-4, "act": "relu"},
        distributions={"lr": FloatDistribution(1e-5, 1, log=True)},
    ),
    frozen_trial(1, "COMPLETE", 0.7, {"lr": 1e-2, "act": "leaky_relu", "slope": 0.1}),
    frozen_trial(2, "PRUNED", 0.2, {"lr": 1e-3, "act": "selu"}, intermediate={0: 0.1, 3: 0.2}),
    frozen_trial(3, "COMPLETE", 0.6, {"lr": 1e-3, "act": "relu"}),
    frozen_trial(4, "FAIL", None, {"lr": 1e-3, "act": "relu"}),
    frozen_trial(5, "COMPLETE", math.nan, {"lr": 1e-3, "act": "relu"}),
]


@pytest.fixture(scope="module")
def study():
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.ThresholdPruner(lower=0.25),
    )

    def objective(trial):
        rate = trial.suggest_float("optimizer.lr", 1e-4, 1e-1, log=True)
        if trial.suggest_categorical("model.activation", ["relu", "leaky_relu"]) == "leaky_relu":
            trial.suggest_float("model.slope", 0.01, 0.3)
        value = 0.9 - 0.2 * abs(math.log10(rate) + 2.5)
        for step in range(3):
            trial.report(value * (step + 1) / 3, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        if trial.number == 7:
            raise ArithmeticError
        return value

    study.optimize(objective, n_trials=30, catch=(ArithmeticError,))
    return study


def test_the_last_value_is_the_studys_own(study):
    trials = study.trials
    assert [trial.number for trial in trials] == list(range(30))
    assert trials[7].state.name == "FAIL"
    assert last_value(trials[7]) is None
    assert not is_drawn(trials[7])
    for trial in trials:
        if trial.state.name == "COMPLETE":
            assert last_value(trial) == trial.value
        if trial.state.name == "PRUNED":
            assert last_value(trial) == list(trial.intermediate_values.values())[-1]
    assert log_parameters(trials) == {"optimizer.lr"}
    assert {trial.state.name for trial in trials} == {"COMPLETE", "PRUNED", "FAIL"}


def test_best_so_far_counts_complete_trials_only():
    data = history_data(TRIALS)
    assert data.best == ((0, 0.5), (1, 0.7), (3, 0.7), (5, 0.7))
    assert data.pruned == ((2, 0.2),)
    assert data.failed == (4, 5)  # a finished trial without a value has failed
    lowest = history_data(TRIALS, maximize=False)
    assert lowest.best == ((0, 0.5), (1, 0.5), (3, 0.5), (5, 0.5))
    assert history_data([]).best == ()


def test_best_of_the_history_is_optunas(study):
    assert history_data(study.trials).best[-1] == (29, study.best_value)


def test_parameters_are_placed_by_size_logarithm_or_order():
    lr = parameter_scale("lr", TRIALS)
    assert lr.log
    assert lr.positions == pytest.approx((0, 1, 0.5, 0.5, 0.5, 0.5))
    assert dict(zip(lr.labels, lr.ticks, strict=True))["0.001"] == pytest.approx(0.5)
    act = parameter_scale("act", TRIALS)
    assert act.labels == ("leaky_relu", "relu", "selu")
    assert act.positions[:3] == (0.5, 0.0, 1.0)
    slope = parameter_scale("slope", TRIALS)
    assert slope.positions[1] == 0.5  # the only value
    assert all(math.isnan(slope.positions[i]) for i in (0, 2, 3))
    linear = parameter_scale(
        "x", [frozen_trial(i, "COMPLETE", 0.0, {"x": x}) for i, x in enumerate((0, 5, 20))]
    )
    assert linear.positions == pytest.approx((0, 0.25, 1))
    flags = [frozen_trial(i, "COMPLETE", 0.0, {"x": x}) for i, x in enumerate((True, False))]
    assert parameter_scale("x", flags).labels == ("False", "True")


def test_the_best_trials_are_drawn_last():
    data = space_data(TRIALS)
    assert data.values == (0.2, 0.5, 0.6, 0.7)
    assert space_data(TRIALS, maximize=False).values == (0.7, 0.6, 0.5, 0.2)
    assert [scale.name for scale in space_data(TRIALS, params=["act", "none of them"]).scales] == ["act"]


def test_drawing_shows_every_trial_and_changes_no_setting():
    before = dict(mpl.rcParams)
    ax = plot_history(history_data(TRIALS), Figure().add_subplot())
    drawn = {tuple(map(float, point)) for line in ax.lines for point in np.column_stack(line.get_data())}
    assert {(0, 0.5), (1, 0.7), (3, 0.6), (2, 0.2)} <= drawn
    data = space_data(TRIALS)
    parallel = plot_parallel(data)
    through = [line.get_ydata() for line in parallel.lines if len(line.get_xdata()) == len(data.scales) == 3]
    assert len(through) == 4
    # The best trial has a slope; the others go below the axis there.
    assert [y[2] for y in through] == [-0.12, -0.12, -0.12, 0.5]
    assert [text.get_text() for text in parallel.get_legend().get_texts()] == ["best: 0.7"]
    widths = [line.get_linewidth() for line in parallel.lines if len(line.get_xdata()) == 3]
    assert max(widths) == widths[-1] > max(widths[:-1])
    figure = plot_slices(data)
    assert [ax.get_xlabel() for ax in figure.axes if ax.get_visible()] == ["lr", "act", "slope"]
    assert figure.axes[0].get_xscale() == "log"
    figure.canvas.draw()
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "0.01" in ticks
    assert all(float(text) > 0 for text in ticks if text)
    bars = plot_importance({"a": 0.2, "b": 0.8})
    assert [bar.get_width() for bar in bars.patches] == [20, 80]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("trials", [[], TRIALS[:1], TRIALS[4:5]])
def test_few_or_no_trials_still_make_a_figure(tmp_path, trials):
    plot_history(history_data(trials)).get_figure().savefig(tmp_path / "a.png")
    plot_parallel(space_data(trials)).get_figure().savefig(tmp_path / "b.png")
    plot_slices(space_data(trials)).savefig(tmp_path / "c.png")


@pytest.mark.parametrize("maximize", [True, False])
def test_the_better_a_trial_the_darker_its_line(maximize):
    values = (0.1, 0.2, 0.3, 0.4, 0.5)
    trials = [frozen_trial(i, "COMPLETE", v, {"a": i, "b": i}) for i, v in enumerate(values)]
    colors = _colors(space_data(trials, maximize=maximize))
    ordered = sorted(values, reverse=not maximize)
    light = [sum(colors.to_rgba(np.array(value))[:3]) for value in ordered]
    assert light == sorted(light, reverse=True)
    # One that has diverged leaves the others apart.
    diverged = frozen_trial(9, "COMPLETE", -1e9 if maximize else 1e9, {"a": 1, "b": 1})
    colors = _colors(space_data([*trials, diverged], maximize=maximize))
    assert len({colors.to_rgba(np.array(value)) for value in values}) == 5


def test_all_figures_of_a_search(tmp_path, study):
    paths = write_search_figures(study, tmp_path / "new", data_name="synthetic", synthetic=True)
    assert set(paths) == {"history", "parallel", "slices", "importance"}
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths.values())
    empty = optuna.create_study()
    assert set(write_search_figures(empty, tmp_path)) == {"history", "parallel", "slices"}
