"""What the figures of confusion show, and that it can be read."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.transforms import Bbox

from fer_lightning.explain.confusion import confused_pairs
from fer_lightning.explain.confusion_difference import confusion_difference
from fer_lightning.explain.mistakes import Mistake, mistakes
from fer_lightning.plots.confusion import (
    confusion_data,
    difference_data,
    plot_confusion,
    plot_confusion_difference,
    readable_on,
    shortened,
)
from fer_lightning.plots.mistaken_faces import bars_data, plot_confused_pairs, plot_mistakes
from fer_lightning.runs.confusion_counts import Confusion, confusion
from fer_lightning.runs.predictions import Predictions
from tests.support.pixels import border, pixels, shade


def drawn(classes: int, seed: int = 0, names: tuple[str, ...] = ()) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, classes, 400)
    logits = rng.normal(size=(400, classes)).astype(np.float32)
    logits[np.arange(400), labels] += 1.5
    return Predictions(logits, labels, np.arange(400).astype(str), names)


def test_cells_hold_per_cent_and_count_and_the_diagonal_stands_out():
    data = confusion_data(Confusion(np.array([[1499, 1], [0, 0]]), ("glad", "sad")))
    assert data.upper == [["100 %", "0 %"], ["", ""]]
    assert data.lower == [["1,499", "1"], ["0", "0"]]
    assert data.rows == ("glad (1,500)", "sad (0)")
    assert data.limits == (0, 100)
    assert data.bold.tolist() == [[True, False], [False, True]]


def test_a_difference_has_signs_both_counts_a_mark_and_a_scale_about_zero():
    names, labels, ids = ("a", "b"), np.zeros(100, np.int64), np.arange(100).astype(str)
    one, other = np.eye(2, dtype=np.float32)[np.repeat([0, 1], 50)], np.eye(2, dtype=np.float32)[[0] * 100]
    found = confusion_difference(Predictions(one, labels, ids, names), Predictions(other, labels, ids, names))
    data = difference_data(found)
    assert data.upper == [["+50*", "−50*"], ["", ""]]
    assert data.lower[0] == ["50→100", "50→0"]
    assert data.limits == (-50, 50)
    same = confusion_difference(Predictions(one, labels, ids, names), Predictions(one, labels, ids, names))
    assert difference_data(same).upper[0] == ["0", "0"]
    assert difference_data(same).limits == (-5, 5)


@pytest.mark.parametrize("cmap", ["cividis", "PuOr_r"])
def test_text_has_a_contrast_of_four_and_a_half_on_every_colour_of_the_maps(cmap):
    def luminance(color):
        linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
        return linear @ np.array([0.2126, 0.7152, 0.0722])

    for value in np.linspace(0, 1, 101):
        color = np.array(mpl.colormaps[cmap](value)[:3])
        text = 0.0 if readable_on(color) == "black" else 1.0
        dark, light = sorted((luminance(color), text))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_long_names_lose_their_middle():
    assert shortened("neutral") == "neutral"
    assert shortened("abcdefghijklmnopqrstuvwxyz", 9) == "abcd…wxyz"


def overlapping(boxes) -> int:
    return sum(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[number + 1 :])


@pytest.mark.parametrize(("classes", "letters"), [(1, 1), (2, 40), (7, 4), (20, 40)])
def test_labels_of_few_and_many_classes_fit_the_figure_and_do_not_collide(classes, letters):
    names = tuple(f"{chr(97 + i) * (letters - 1)}{i % 10}" for i in range(classes))
    first, second = drawn(classes, 0, names), drawn(classes, 1, names)
    figures = [plot_confusion(confusion(first), title="A long title " * 20)]
    figures.append(plot_confusion_difference(confusion_difference(first, second)))
    for ax in figures:
        texts = ax.collections[0].get_label().split("\n")
        assert all(shortened(name) in texts for name in names)
        assert (border(pixels(ax)) == 255).all()  # nothing is cut off at the edge
        if letters == 4:
            assert overlapping(boxes(ax.collections[0])) == 0


def boxes(texts) -> list[Bbox]:
    """Where each line of text lies, in pixels."""
    places = texts.get_offset_transform().transform(texts.get_offsets())
    shapes = [path.transformed(texts.get_transform()) for path in texts.get_paths() if len(path.vertices)]
    assert len(shapes) == len(places)
    return [shape.get_extents().translated(*at) for shape, at in zip(shapes, places, strict=True)]


def test_a_cell_has_the_colour_of_its_share_of_the_row():
    ax = plot_confusion(Confusion(np.array([[30, 10], [0, 0]]), ("yes", "no")))
    flat = pixels(ax).reshape(-1, 3)

    def seen(color) -> int:
        return int((np.abs(flat - color).max(1) <= 2).sum())

    area = 170**2  # two cells share 3.4 inches
    assert seen(shade(0.75)) > 0.9 * area
    assert seen(shade(0.25)) > 0.9 * area
    assert seen(0xDD) > 1.9 * area  # the class without faces: two grey cells
    assert seen(shade(0.5)) < 0.1 * area


def test_given_axes_are_used_and_a_dollar_is_a_dollar():
    matrix = Confusion(np.eye(3, dtype=int), ("a", "$\\frac$", " "))
    ax = plot_confusion(matrix)
    assert plot_confusion(matrix, ax, title="again") is ax
    assert "again\naccuracy 100.0 % of 3 images" in ax.collections[-1].get_label()


def test_bars_name_prediction_truth_and_runner_up():
    mistake = Mistake(0, "x", "a", "b", "a", np.array([0.3, 0.6, 0.1]))
    bars = bars_data(mistake, ("a", "b", "c"))
    assert [bar.role for bar in bars] == ["true, runner-up", "predicted", ""]
    assert [bar.percent for bar in bars] == pytest.approx([30, 60, 10])
    assert len({bar.color for bar in bars}) == 3


def test_sheets_show_the_faces_that_were_taken_for_another():
    given = drawn(3, names=("a", "b", "c"))
    images = np.arange(400, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    found = mistakes(given, 5)
    figure = plot_mistakes(found, images, given.class_names, columns=2)
    shown = [ax.images[0].get_array()[0, 0] for ax in figure.axes if ax.images]
    assert shown == [each.position % 256 for each in found]
    pairs = confused_pairs(confusion(given), 1)
    sheet = plot_confused_pairs(pairs, given, images, examples=2)
    sheet.draw_without_rendering()
    there = mistakes(given, 2, label=pairs[0].one, predicted=pairs[0].other)
    back = mistakes(given, 2, label=pairs[0].other, predicted=pairs[0].one)
    axes = [ax for part in sheet.subfigs for ax in part.axes if ax.images]
    assert [ax.images[0].get_array()[0, 0] for ax in axes] == [e.position % 256 for e in there + back]
    assert sheet.subfigs[0].get_suptitle() == (
        f"{pairs[0].one} taken for {pairs[0].other}: {pairs[0].count} images, "
        f"{100 * pairs[0].rate:.1f} % of {pairs[0].one}"
    )
