"""Confusion analysis: hand-computed tables, torchmetrics as a second opinion, and intervals of a difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.class_table import class_cells, class_table
from fer_lightning.explain.confusion import confused_pairs, counts_table
from fer_lightning.explain.confusion_difference import confusion_difference
from fer_lightning.explain.mistakes import mistakes
from fer_lightning.runs.confusion_counts import Confusion, confusion
from fer_lightning.runs.predictions import Predictions

NAMES = ("angry", "happy", "sad")


def predicted(labels, classes, names=NAMES, ids=None) -> Predictions:
    """Predictions whose most likely class is given: logits 2 for it, 0 for the others."""
    logits = 2 * np.eye(len(names), dtype=np.float32)[np.array(classes)]
    return Predictions(logits, np.array(labels, np.int64), ids, names)


def example() -> Predictions:
    # angry: 1 right, 3 as sad; happy: 2 right, 1 as angry, 1 as sad; sad: 4 right.
    return predicted([0] * 4 + [1] * 4 + [2] * 4, [0, 2, 2, 2, 1, 1, 0, 2, 2, 2, 2, 2])


def test_counts_rates_and_recall_are_those_counted_by_hand():
    matrix = confusion(example())
    assert matrix.counts.tolist() == [[1, 0, 3], [1, 2, 1], [0, 0, 4]]
    assert matrix.rates.tolist() == [[0.25, 0, 0.75], [0.25, 0.5, 0.25], [0, 0, 1]]
    assert matrix.recall.tolist() == [0.25, 0.5, 1.0]
    assert matrix.accuracy == pytest.approx(7 / 12)
    assert counts_table(matrix) == (
        ["true class", *NAMES],
        [["angry", 1, 0, 3], ["happy", 1, 2, 1], ["sad", 0, 0, 4]],
    )


@pytest.mark.parametrize("classes", [2, 7, 20])
def test_rates_agree_with_torchmetrics(classes):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 500)
    logits = rng.normal(size=(500, classes)).astype(np.float32)
    metric = MulticlassConfusionMatrix(classes, normalize="true")
    expected = metric(torch.from_numpy(logits), torch.from_numpy(labels)).numpy()
    assert confusion(Predictions(logits, labels)).rates == pytest.approx(expected, abs=1e-6)


def test_faces_without_a_prediction_are_left_out_and_counted():
    logits = np.array([[1, 0, 0], [np.nan, 0, 0]], np.float32)
    matrix = confusion(Predictions(logits, np.array([0, 0]), None, NAMES))
    assert matrix.counts.sum() == 1
    assert matrix.undecided == 1
    lost = confusion(Predictions(logits[1:], np.array([0]), None, NAMES))
    assert lost.counts.sum() == 0
    assert np.isnan(lost.accuracy)


def test_wrong_names_and_labels_are_refused():
    with pytest.raises(DataError, match="3 class names for logits of 2 classes"):
        confusion(Predictions(np.zeros((1, 2), np.float32), np.array([0]), None, NAMES))
    with pytest.raises(DataError, match="labels run from 0 to 5: expected 0 to 2"):
        confusion(Predictions(np.zeros((2, 3), np.float32), np.array([0, 5]), None, NAMES))


def test_the_class_table_names_what_each_class_is_taken_for_and_the_weak_ones():
    angry, happy, sad = class_table(confusion(example()), threshold=0.6)
    assert (angry.taken_for, angry.taken_count, angry.taken_rate) == (("sad",), 3, 0.75)
    assert happy.taken_for == ("angry", "sad")  # a tie is told as one
    assert (sad.taken_for, sad.taken_count) == ((), 0)
    assert [row.weak for row in (angry, happy, sad)] == [True, True, False]
    # Wilson's interval of 2 in 4, by its formula with z = 1.959964: (2 + z²/2 ± z √(1 + z²/4)) / (4 + z²).
    assert (happy.low, happy.high) == pytest.approx((0.150036, 0.849964), abs=1e-5)


def test_a_class_at_the_threshold_is_not_weak_and_one_without_faces_is_neither():
    matrix = Confusion(np.array([[3, 2, 0], [0, 1, 1], [0, 0, 0]]), NAMES)
    rows = class_table(matrix, threshold=0.6)
    assert [row.weak for row in rows] == [False, True, False]
    assert np.isnan(rows[2].recall)
    assert class_cells(rows)[1][2] == ["sad", "0", "–", "–", "0", "0.0", ""]
    with pytest.raises(ConfigError, match="threshold=60: expected a number from 0 to 1"):
        class_table(matrix, threshold=60)


def test_the_most_confused_pairs_go_by_faces_or_by_rate():
    # 12 of 100 angry faces are taken for happy; 3 of 4 sad ones for angry.
    matrix = Confusion(np.array([[88, 12, 0], [5, 95, 0], [3, 0, 1]]), NAMES)
    first, second = confused_pairs(matrix)
    assert (first.one, first.other, first.count, first.back_count, first.total) == (
        "angry",
        "happy",
        12,
        5,
        17,
    )
    assert (first.rate, first.back_rate) == (0.12, 0.05)
    assert (second.one, second.other, second.rate, second.back_count) == ("sad", "angry", 0.75, 0)
    assert confused_pairs(matrix, limit=1, by="rate")[0].one == "sad"
    with pytest.raises(ConfigError, match="by=size: expected one of count, rate"):
        confused_pairs(matrix, by="size")


def test_mistakes_come_surest_first_with_probabilities_and_runner_up():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9], [0.5, 0.2, 0.3], [0.1, 0.8, 0.1]])
    labels = np.array([0, 0, 2, 2])
    given = Predictions(
        np.log(probabilities).astype(np.float32), labels, np.array(["a", "b", "c", "d"]), NAMES
    )
    first, second, third = mistakes(given)
    assert [each.id for each in (first, second, third)] == ["b", "d", "c"]
    assert (first.position, first.label, first.predicted) == (1, "angry", "sad")
    assert first.probabilities == pytest.approx([0.05, 0.05, 0.9], abs=1e-6)
    assert (third.predicted, third.runner_up) == ("angry", "sad")
    assert [each.id for each in mistakes(given, label="sad", predicted="happy")] == ["d"]
    drawn = [[each.id for each in mistakes(given, order="random", seed=seed)] for seed in range(8)]
    assert {tuple(sorted(ids)) for ids in drawn} == {("b", "c", "d")}
    assert drawn[0] == [each.id for each in mistakes(given, order="random", seed=0)]
    assert len({tuple(ids) for ids in drawn}) > 1
    with pytest.raises(ConfigError, match="class glad: expected one of angry, happy, sad"):
        mistakes(given, label="glad")


def test_a_difference_is_of_rates_and_knows_the_same_faces_in_another_order():
    ids = np.array([f"face{i}" for i in range(12)])
    first = Predictions(example().logits, example().labels, ids, NAMES)
    better = first.logits.copy()
    better[1] = [2, 0, 0]  # one angry face moves from sad to angry
    order = np.random.default_rng(0).permutation(12)
    second = Predictions(better[order], first.labels[order], ids[order], NAMES)
    found = confusion_difference(first, second)
    assert found.paired
    expected = np.zeros((3, 3))
    expected[0] = [0.25, 0, -0.25]
    assert found.difference == pytest.approx(expected)
    assert not found.decided.any()


def test_the_paired_interval_is_that_of_agresti_and_min():
    labels, rng = np.zeros(200, np.int64), np.random.default_rng(1)
    was, now = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    ids = np.arange(200).astype(str)
    found = confusion_difference(predicted(labels, was, ids=ids), predicted(labels, now, ids=ids))
    gained = ((now == 1) & (was != 1)).sum() + 0.5
    lost = ((was == 1) & (now != 1)).sum() + 0.5
    centre = (gained - lost) / 202
    error = np.sqrt(gained + lost - (gained - lost) ** 2 / 202) / 202
    assert found.low[0, 1] == pytest.approx(centre - 2.772921 * error, abs=1e-6)  # normal 1 − 0.025/9
    assert found.high[0, 1] == pytest.approx(centre + 2.772921 * error, abs=1e-6)


def test_intervals_hold_for_all_cells_together_as_often_as_promised():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(3), 120)
    rates = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.05, 0.05, 0.9]])

    def draw() -> Predictions:
        classes = (rng.random(360)[:, None] > rates[labels].cumsum(1)).sum(1)
        return predicted(labels, classes, ids=np.arange(360).astype(str))

    missed = sum(confusion_difference(draw(), draw()).decided.any() for _ in range(300))
    # Five in a hundred at most, and no less than would show an interval that is far too wide.
    assert 1 <= missed <= 26
    independent = [Predictions(p.logits, p.labels, None, NAMES) for p in (draw(), draw())]
    assert not confusion_difference(*independent).paired


def test_a_real_change_is_decided_and_other_classes_are_refused():
    labels = np.zeros(300, np.int64)
    first, second = predicted(labels, [0] * 150 + [1] * 150), predicted(labels, [0] * 250 + [1] * 50)
    decided = confusion_difference(first, second).decided
    assert decided[0].tolist() == [True, True, False]
    assert not decided[1:].any()  # classes without faces
    with pytest.raises(DataError, match=r"the first model knows angry, happy, sad; the second a, b, c"):
        confusion_difference(first, predicted(labels, [0] * 300, names=("a", "b", "c")))
