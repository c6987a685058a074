"""What the figure of a run's learning curves shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fer_lightning.plots.learning_curves import COLOURS, plot_learning_curves
from tests.support.pixels import border, pixels

ROWS = [
    {"epoch": 0.0, "train/acc": 0.2, "val/acc": 0.3, "train/loss": 1.9, "val/loss": 1.8},
    {"epoch": 1.0, "train/acc": 0.6, "val/acc": 0.4, "train/loss": 1.1, "val/loss": 1.5},
    {"epoch": 2.0, "train/acc": 0.8, "val/acc": 0.5, "train/loss": 0.7, "val/loss": 1.4},
]


def colored(rows: list[dict[str, float]], split: str, panel: int) -> np.ndarray:
    """Rows and columns of the pixels of a curve's colour in the left (0) or right (1) panel."""
    found = pixels(plot_learning_curves(rows))[50:, 450 * panel : 450 * (panel + 1)]
    return np.argwhere(np.abs(found - np.rint(np.multiply(to_rgb(COLOURS[split]), 255))).max(axis=2) < 8)


def test_curves_rise_and_fall_with_their_values() -> None:
    for panel, sign in ((0, -1), (1, 1)):
        for split in ("train", "val"):
            found = colored(ROWS, split, panel)
            left, right = found[:, 1].argmin(), found[:, 1].argmax()
            assert sign * (found[right, 0] - found[left, 0]) > 20
    # The higher accuracy ends higher up.
    assert colored(ROWS, "train", 0)[:, 0].min() < colored(ROWS, "val", 0)[:, 0].min()


def test_what_is_not_finite_is_left_out() -> None:
    rows = [*ROWS[:2], ROWS[2] | {"train/loss": math.nan, "val/loss": math.inf}]
    whole, part = colored(ROWS, "train", 1), colored(rows, "train", 1)
    assert part[:, 1].max() < whole[:, 1].max() - 50
    low, high = plot_learning_curves(rows).axes[1].get_ylim()
    assert 1.0 < low < 1.1
    assert 1.9 < high < 2.0


@pytest.mark.parametrize("rows", [[], ROWS[:1], [{"epoch": 0.0, "train/acc": 0.5}], ROWS * 40])
def test_a_picture_shows_nothing_of_the_run_before(rows: list[dict[str, float]]) -> None:
    first = pixels(plot_learning_curves(rows, "SYNTHETIC DATA"))
    assert first.shape == (360, 900, 3)
    assert (border(first) == 255).all()
    plot_learning_curves([row | {"epoch": 99 * row["epoch"], "val/acc": 40.0} for row in ROWS], "another")
    assert np.array_equal(pixels(plot_learning_curves(rows, "SYNTHETIC DATA")), first)


def test_a_long_title_ends_before_the_names_of_the_splits() -> None:
    figure = plot_learning_curves(ROWS, "W" * 300)
    figure.draw_without_rendering()
    title, *names = (text.get_window_extent() for text in figure.texts)
    assert title.x1 < min(name.x0 for name in names)
