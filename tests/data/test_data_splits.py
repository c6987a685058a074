from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.data.splits import (
    UNSPLIT,
    Splitting,
    check_classes,
    stratified_fraction,
    stratified_parts,
)
from fer_lightning.errors import ConfigError, DataError

LABELS = np.repeat([0, 1, 2], [100, 40, 7])


def test_every_class_is_dealt_in_the_same_shares() -> None:
    parts = stratified_parts(LABELS, (0.15, 0.1), seed=3)
    counts = [np.bincount(parts[label == LABELS], minlength=3).tolist() for label in range(3)]
    assert counts == [[75, 15, 10], [30, 6, 4], [5, 1, 1]]


def test_parts_depend_on_the_seed_alone() -> None:
    first = stratified_parts(LABELS, (0.2,), seed=1)
    assert (first == stratified_parts(LABELS, (0.2,), seed=1)).all()
    assert (first != stratified_parts(LABELS, (0.2,), seed=2)).any()
    # Neither the first nor the last of a class are preferred.
    hits = np.sum([stratified_parts(LABELS, (0.2,), seed)[:100] for seed in range(200)], axis=0)
    assert hits.min() > 15
    assert hits.max() < 70


@settings(deadline=None)
@given(st.floats(0.01, 0.5), st.floats(0.5, 1.0), st.integers(0, 5))
def test_a_smaller_fraction_is_contained_in_a_larger_one(small: float, large: float, seed: int) -> None:
    indices = np.arange(0, len(LABELS), 2)
    few = stratified_fraction(indices, LABELS, small, seed)
    many = stratified_fraction(indices, LABELS, large, seed)
    assert set(few) <= set(many) <= set(indices)
    assert (np.diff(few) > 0).all()
    for label in range(3):
        available = int((LABELS[indices] == label).sum())
        assert (LABELS[few] == label).sum() == max(1, round(small * available))


def test_the_whole_fraction_is_everything() -> None:
    indices = np.flatnonzero(LABELS != 1)
    assert (stratified_fraction(indices, LABELS, 1.0, 0) == indices).all()


def test_unsplit_faces_are_dealt_to_all_three_splits() -> None:
    splits = Splitting(0.15, 0.1, 3).complete("x", np.full(147, UNSPLIT, np.uint8), LABELS, "abc")
    assert np.bincount(splits).tolist() == [110, 22, 15]
    assert splits.dtype == np.uint8


def test_validation_is_taken_from_train_where_there_is_none() -> None:
    given_splits = np.where(np.arange(147) % 5 == 0, 2, 0).astype(np.uint8)
    splits = Splitting(0.25, 0.1, 0).complete("x", given_splits, LABELS, "abc")
    assert ((splits == 2) == (given_splits == 2)).all()
    assert np.bincount(LABELS[splits == 1]).tolist() == [20, 8, 1]


def test_given_splits_stay() -> None:
    given_splits = (np.arange(147) % 3).astype(np.uint8)
    assert (Splitting().complete("x", given_splits, LABELS, "abc") == given_splits).all()


@pytest.mark.parametrize(
    ("val", "test", "message"),
    [
        (1.0, 0.0, "data.val_fraction=1.0: expected a number of at least 0 and below 1"),
        (0.1, -0.1, "data.test_fraction=-0.1: expected a number of at least 0"),
        (0.5, 0.5, "data.val_fraction=0.5 and data.test_fraction=0.5 leave nothing to train on"),
    ],
)
def test_impossible_shares_are_refused(val: float, test: float, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Splitting(val, test)
    assert str(error.value).startswith(message)


def test_missing_classes_are_named() -> None:
    labels, names = np.array([0, 1, 0, 1, 0]), ("happy", "sad")
    check_classes("x", np.array([0, 0, 1, 1, 0]), labels, names)  # no test split at all is fine
    with pytest.raises(DataError, match=r"^x: class 'sad' has no face in split 'test' \(it has 2 in all\): "):
        check_classes("x", np.array([0, 0, 1, 1, 2]), labels, names)
    with pytest.raises(
        DataError, match=r"^x: class 'sad' has no face in split 'train' \(it has 2 in all\): "
    ):
        check_classes("x", np.array([0, 1, 1, 1, 0]), labels, names)
    with pytest.raises(DataError, match=r"^x: class 'fear' is empty: "):
        check_classes("x", np.array([0, 0, 1, 1, 0]), labels, (*names, "fear"))
