from __future__ import annotations

import itertools
import math
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from fer_lightning.plots.forest import axis_limit, plot_effects
from fer_lightning.plots.style import figure_style, new_axes
from fer_lightning.report.effects import effects_data
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.records import ArmRun


def runs(arm, *values):
    return [ArmRun(arm, s, value=v) for s, v in enumerate(values)]


STUDY = [
    *runs("base", 0.60, 0.61, 0.62),
    *runs("good", 0.70, 0.712, 0.718),
    *runs("same", 0.60, 0.62, 0.615),
    *runs("one seed", 0.64),
    *runs("stuck", 0.10, 0.11, 0.125),
    ArmRun("lost", 0, state="FAIL"),
]


@pytest.fixture
def report():
    return ablation_report(STUDY, "base", data_name="synthetic", synthetic=True)


def test_rows_are_the_reports_in_points(report):
    data = effects_data(report)
    assert [row.arm for row in data.rows] == ["good", "one seed", "same", "stuck"]
    assert data.absent == ("lost",)
    good = data.rows[0]
    effect = report.arm("good").effect
    assert good.seeds == pytest.approx((10.0, 10.2, 9.8))
    assert (good.mean, good.low, good.high) == pytest.approx(
        (100 * effect.mean, 100 * effect.low, 100 * effect.high)
    )
    assert math.isnan(data.rows[1].low)
    assert data.rows[1].text == "+4.00"


def test_synthetic_data_stand_in_the_title(report):
    assert "SYNTHETIC DATA" in effects_data(report).title
    real = ablation_report(STUDY, "base", data_name="fer2013")
    assert "SYNTHETIC" not in effects_data(real).title
    assert "fer2013" in effects_data(real).title


def test_a_stuck_arm_does_not_squeeze_the_others():
    assert axis_limit([1.0, 2.0, 1.5]) == pytest.approx(2.2)
    assert axis_limit([1.0, 2.0, 1.5, 40.0]) == pytest.approx(2.2)
    assert axis_limit([1.0, 2.0, 1.5, 38.0, 40.0]) == pytest.approx(2.2)
    # A clear effect beside arms whose intervals are not drawn is no broken arm.
    assert axis_limit([0.4, 0.5, 0.75, 0.75, 3.2, 3.5], near=2.5) == pytest.approx(3.85)
    # Where most arms are far off, it is the near one that gets little room.
    assert axis_limit([0.1, 38.0, 40.0]) == pytest.approx(44.0)
    assert axis_limit([]) == 1.0
    assert axis_limit([0.0]) == 1.0


def test_drawing_puts_the_numbers_where_they_belong(report):
    data = effects_data(report)
    ax = plot_effects(data)
    assert [label.get_text() for label in ax.get_yticklabels()] == [row.arm for row in data.rows]
    assert ax.yaxis_inverted()  # the best arm on top
    assert ax.get_xlim() == pytest.approx((-data.limit, data.limit))
    points = {(round(x, 6), round(y, 6)) for line in ax.lines for x, y in zip(*line.get_data(), strict=True)}
    assert (round(data.rows[0].low, 6), 0.0) in points
    assert (round(data.rows[0].high, 6), 0.0) in points
    assert (round(data.rows[0].seeds[1], 6), 0.24) in points
    words = [text.get_text() for text in ax.get_figure().legends[0].get_texts()]
    assert words == [
        "better",
        "worse",
        "no difference found",
        "not enough seeds",
        "each seed's difference",
        "beyond the axis",
    ]


def test_off_axis_arms_are_marked_at_the_edge():
    data = effects_data(ablation_report([*STUDY[:9], *runs("x", 0.601, 0.612, 0.62), *STUDY[10:13]], "base"))
    stuck = next(i for i, row in enumerate(data.rows) if row.arm == "stuck")
    assert abs(data.rows[stuck].mean) > data.limit
    ax = plot_effects(data)
    edge = [line for line in ax.lines if line.get_marker() == "<"]
    assert len(edge) == 1
    assert edge[0].get_ydata() == [stuck]
    assert "beyond the axis" in [text.get_text() for text in ax.get_figure().legends[0].get_texts()]


def test_it_draws_on_given_axes_and_changes_no_setting(report):
    before = dict(mpl.rcParams)
    ax = Figure().add_subplot()
    assert plot_effects(effects_data(report), ax) is ax
    assert dict(mpl.rcParams) == before
    with figure_style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("n_arms", [1, 3, 10, 30])
def test_every_number_of_arms_fits_its_figure(n_arms):
    rng = np.random.default_rng(n_arms)
    name = "activation=leaky_relu,normalization=per_image,augmentation=r0,model.dropout={}"
    study = [*STUDY[:3]]
    for i in range(n_arms):
        study += runs(name.format(i), *(0.6 + 0.02 * rng.standard_normal(3)))
    ax = plot_effects(effects_data(ablation_report(study, "base")))
    figure = ax.get_figure()
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    # Neighbouring labels do not overlap, and none leaves the figure.
    for upper, lower in itertools.pairwise(boxes):
        assert upper.y0 >= lower.y1
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.y1 for box in boxes) <= figure.bbox.y1


def test_figures_need_no_window_system():
    # pyplot would choose a back end and keep every figure alive.
    with figure_style():
        assert isinstance(new_axes().get_figure(), Figure)
    source = [
        sys.modules[name].__dict__ for name in ("fer_lightning.plots.forest", "fer_lightning.plots.style")
    ]
    assert not any("plt" in names or "pyplot" in names for names in source)
