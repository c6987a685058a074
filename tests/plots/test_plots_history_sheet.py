"""The learning curves that Pillow draws: round ticks, curves where their values are, gaps for what is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import ImageColor

from fer_lightning.plots.history_sheet import HEAD, HEIGHT, WIDTH, history_sheet, labels_of, ticks
from fer_lightning.plots.learning_curves import COLOURS

ROWS = [
    {"epoch": 0.0, "train/acc": 0.2, "val/acc": 0.3, "train/loss": 1.9, "val/loss": 1.8},
    {"epoch": 1.0, "train/acc": 0.6, "val/acc": 0.4, "train/loss": 1.1, "val/loss": 1.5},
    {"epoch": 2.0, "train/acc": 0.8, "val/acc": 0.5, "train/loss": 0.7, "val/loss": 1.4},
]


def colored(rows: list[dict[str, float]], split: str, panel: int) -> np.ndarray:
    """Rows and columns of the pixels of a curve's colour in the left (0) or right (1) panel."""
    pixels = np.asarray(history_sheet(rows))[HEAD:, WIDTH * panel : WIDTH * (panel + 1)].astype(int)
    return np.argwhere(np.abs(pixels - ImageColor.getrgb(COLOURS[split])).max(axis=2) < 8)


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.8), (0.113, 0.127), (1.0, 1.0), (-3.0, 250.0)])
def test_ticks_span_the_values(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 3 <= len(found) <= 9
    assert np.allclose(np.diff(found), found[1] - found[0])
    assert [float(text) for text in labels_of(found)] == pytest.approx(found)


def test_labels_share_their_decimals() -> None:
    assert labels_of([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert labels_of([0.0, 5.0, 10.0]) == ["0", "5", "10"]


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


@pytest.mark.parametrize("rows", [[], ROWS[:1], [{"epoch": 0.0, "train/acc": 0.5}]])
def test_few_values_make_a_picture_of_the_same_size(rows: list[dict[str, float]]) -> None:
    assert history_sheet(rows, "synthetic data").size == (2 * WIDTH, HEAD + HEIGHT)
