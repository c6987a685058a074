"""Slices: groups by features alone, intervals that hold together, what each contains, and arms within them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.face_groups import GROUPS, face_groups, group_count
from fer_lightning.stats.judged_slices import face_slices, simultaneous_intervals
from fer_lightning.stats.slice_arms import slice_arms

NAMES = ("angry", "happy", "sad")


def predictions(labels: np.ndarray, named: np.ndarray, sure: float = 0.8) -> Predictions:
    """Logits that name these classes with this probability."""
    rest = (1 - sure) / (len(NAMES) - 1)
    logits = np.log(np.where(np.eye(len(NAMES), dtype=bool)[named], sure, rest)).astype(np.float32)
    return Predictions(logits, labels, np.array([f"f{n}" for n in range(len(labels))]), NAMES)


def test_groups_are_found_by_the_direction_of_the_features_whatever_their_length():
    rng = np.random.default_rng(0)
    centres, blob = rng.normal(0, 5, (4, 30)), np.repeat(np.arange(4), [10, 40, 50, 100])
    features = (centres[blob] + rng.normal(0, 0.3, (200, 30))) * rng.uniform(0.2, 5, (200, 1))
    found = face_groups(features.astype(np.float32), 4)
    pairs = {(int(a), int(b)) for a, b in zip(blob, found, strict=True)}
    assert len(pairs) == 4
    assert sorted(np.bincount(found).tolist()) == [10, 40, 50, 100]
    assert np.array_equal(found, face_groups(features.astype(np.float32), 4))


def test_faces_without_a_difference_are_one_group_and_features_that_are_no_numbers_are_refused():
    assert set(face_groups(np.ones((60, 8), np.float32), 5)) == {0}
    assert len(set(face_groups(np.zeros((60, 8), np.float32), 5))) == 1
    with pytest.raises(DataError, match="not finite"):
        face_groups(np.full((60, 8), np.nan, np.float32), 5)


def test_few_faces_make_few_groups():
    assert [group_count(True, n) for n in (49, 50, 250, 10_000)] == [0, 2, 10, GROUPS]
    assert group_count(12, 10_000) == 12
    assert group_count(12, 200) == 8
    assert group_count(False, 10_000) == 0


def test_the_intervals_are_exact_ones_at_the_level_of_as_many_groups():
    groups = np.repeat([0, 1, 2], [20, 50, 130])
    wrong = np.zeros(200)
    wrong[[0, 1, 2, 30, 31, 32, 33, 34, 100]] = 1
    found = simultaneous_intervals(wrong, groups)
    for row, count, n in zip(found, (3, 5, 1), (20, 50, 130), strict=True):
        assert row == pytest.approx(binomtest(count, n).proportion_ci(0.95 ** (1 / 3), "exact"))
    nobody, everybody = simultaneous_intervals(np.repeat([0.0, 1.0], 40), np.repeat([0, 1], 40))
    assert nobody[0] == 0
    assert everybody[1] == 1


def test_a_slice_says_what_it_contains():
    labels = np.tile([0, 1, 1, 2], 50)
    groups = np.repeat([7, 3], [160, 40])  # numbers may have gaps
    named = labels.copy()
    named[160:190] = np.where(labels[160:190] == 1, 2, 1)
    named[0] = 1
    second = labels.copy()
    second[160:180] = named[160:180]
    found = face_slices([predictions(labels, named), predictions(labels, second, 0.6)], groups)
    hard, easy = found.slices
    assert (hard.number, hard.faces, easy.number, easy.faces) == (1, 40, 2, 160)
    assert np.array_equal(found.group, np.repeat([2, 1], [160, 40]))
    assert hard.run_errors == pytest.approx((30 / 40, 20 / 40))
    assert hard.error == pytest.approx(25 / 40)
    assert easy.error == pytest.approx(0.5 / 160)
    assert found.error == pytest.approx(25.5 / 200)
    assert (hard.failing, easy.failing) == (True, False)
    assert found.failing == (hard,)
    # Of each true class the error in all faces, over the slice's labels: 10, 20 and 10 of 40.
    wrong = found.wrong
    by_class = [wrong[labels == name].mean() for name in range(3)]
    assert hard.expected == pytest.approx(np.dot(by_class, [0.25, 0.5, 0.25]))
    assert (hard.label, hard.label_share) == ("happy", pytest.approx(0.5))
    assert hard.taken_for == ("happy", "sad")
    taken = ((labels == 1) & (named == 2)).sum() + ((labels == 1) & (second == 2)).sum()
    assert hard.taken_share == pytest.approx(taken / 80)
    assert hard.confidence == pytest.approx(0.7, abs=1e-6)
    assert "of 2 groups" in found.sentence
    assert "20 % of the faces and 98 % of the errors" in found.sentence


def test_slices_of_a_perfect_model_do_not_fail():
    labels = np.arange(120) % 3
    found = face_slices([predictions(labels, labels)], np.arange(120) % 4)
    assert found.failing == ()
    assert all(each.taken_for is None and each.taken_share == 0 for each in found.slices)
    assert found.sentence.startswith("Slices: none of 4 groups")


def test_runs_on_other_faces_are_refused():
    labels = np.zeros(60, np.int64)
    other = Predictions(np.zeros((60, 3), np.float32), labels, np.arange(60).astype(str), NAMES)
    with pytest.raises(DataError, match="not about the same named faces"):
        face_slices([predictions(labels, labels), other], labels)
    with pytest.raises(DataError, match="not about the same named faces"):
        face_slices([Predictions(other.logits, labels)], labels)


def test_errors_that_do_not_depend_on_the_group_hardly_ever_make_a_slice_fail():
    rng = np.random.default_rng(1)
    groups = np.arange(720) % 24
    hard = rng.beta(0.8, 1.2, (400, 720))  # of each face: five runs agree more than by chance
    alarms = np.zeros((2, 400), bool)
    for study in range(400):
        for row, runs in enumerate((1, 5)):
            wrong = rng.binomial(runs, hard[study]) / runs
            alarms[row, study] = (simultaneous_intervals(wrong, groups)[:, 0] > wrong.mean()).any()
    assert (alarms.mean(axis=1) < 0.05).all()
    # A slice of 30 faces that is wrong twice as often is found.
    wrong = rng.binomial(1, np.where(groups == 5, 0.8, 0.3))
    assert (simultaneous_intervals(wrong, groups)[:, 0] > wrong.mean()).nonzero()[0].tolist() == [5]


def test_an_arm_is_called_better_only_where_it_is():
    rng = np.random.default_rng(2)
    labels, groups = rng.integers(0, 3, 600), np.repeat([0, 1, 2], 200)

    def run(rates: tuple[float, float, float]) -> Predictions:
        wrong = rng.random(600) < np.array(rates)[groups]
        return predictions(labels, np.where(wrong, (labels + 1) % 3, labels))

    base = {seed: run((0.8, 0.5, 0.1)) for seed in range(4)}
    arms = {
        "baseline": base,
        "better in one": {seed: run((0.2, 0.5, 0.1)) for seed in range(4)},
        "no other": {seed: run((0.8, 0.5, 0.1)) for seed in range(4)},
        "two seeds": {seed: run((0.0, 0.0, 0.0)) for seed in range(2)},
        "other faces": {0: Predictions(base[0].logits[1:], labels[1:], base[0].ids[1:], NAMES)},
    }
    found = face_slices(list(base.values()), groups)
    assert [each.faces for each in found.failing] == [200]
    rows = {row.arm: row for row in slice_arms(found, arms, "baseline")}
    assert list(rows) == ["baseline", "better in one", "no other", "two seeds"]
    assert rows["better in one"].words == {1: "better"}
    assert rows["no other"].words == rows["two seeds"].words == rows["baseline"].words == {}
    assert rows["baseline"].errors[1] == pytest.approx(found.failing[0].error)
    assert rows["two seeds"].errors == {1: 0.0}
    assert (rows["two seeds"].seeds, rows["two seeds"].error) == (2, 0.0)
