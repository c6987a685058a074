"""Folds of a cross-validation: every face is validated on once, classes are even, groups stay whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.folds import fold_splits
from fer_lightning.data.splits import TEST, TRAIN, VAL
from fer_lightning.errors import ConfigError, DataError

NAMES = ("a", "b", "c")


def validated(
    splits: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, folds: int, seed: int
) -> np.ndarray:
    """Whether each face is validated on, bool [folds, N]."""
    found = [
        fold_splits(splits, labels, groups, NAMES, folds=folds, fold=fold, seed=(seed,))
        for fold in range(folds)
    ]
    for one in found:
        assert np.array_equal(one == TEST, splits == TEST)
    return np.stack(found) == VAL


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(0, 5), st.data())
def test_each_face_is_validated_on_once_and_classes_are_even(
    folds: int, seed: int, data: st.DataObject
) -> None:
    counts = [data.draw(st.integers(folds, 25)) for _ in NAMES]
    labels = np.repeat(np.arange(len(NAMES)), counts)
    pooled = np.random.default_rng(seed).integers(TRAIN, VAL + 1, len(labels))
    splits = np.concatenate([pooled, [TEST] * 3]).astype(np.uint8)
    labels = np.concatenate([labels, [0, 1, 2]])
    chosen = validated(splits, labels, None, folds, seed)
    assert np.array_equal(chosen.sum(axis=0), splits != TEST)
    assert np.ptp(chosen.sum(axis=1)) <= 1
    for label in range(len(NAMES)):
        assert np.ptp(chosen[:, labels == label].sum(axis=1)) <= 1


def test_a_group_is_validated_on_as_a_whole() -> None:
    random = np.random.default_rng(0)
    labels, groups = random.integers(0, 3, 300), random.integers(0, 20, 300)
    chosen = validated(np.zeros(300, np.uint8), labels, groups, 5, 1)
    assert np.array_equal(chosen.sum(axis=0), np.ones(300))
    for group in range(20):
        assert chosen[:, groups == group].all(axis=1).sum() == 1
    assert chosen.sum(axis=1).min() > 40


def test_another_seed_deals_other_folds_and_the_same_one_the_same() -> None:
    splits, labels = np.zeros(60, np.uint8), np.arange(60) % 3
    first = validated(splits, labels, None, 5, 1)
    assert np.array_equal(first, validated(splits, labels, None, 5, 1))
    assert not np.array_equal(first, validated(splits, labels, None, 5, 2))


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        ([0, 0, 1, 1, 1, 2, 2, 2], None, "data.folds=3: class 'a' has 2 faces; expected at least 3"),
        ([0, 1, 2] * 4, ["x", "y"] * 6, "data.folds=3: the faces are of 2 groups; expected at least 3"),
        ([0, 0, 1, 2, 1, 2], ["x", "x", "y", "y", "z", "z"], "no face of class 'a' is left to train on"),
    ],
)
def test_what_cannot_be_dealt_is_named(labels: list[int], groups: list[str] | None, message: str) -> None:
    given_groups = None if groups is None else np.array(groups)
    with pytest.raises(DataError, match=message):
        validated(np.zeros(len(labels), np.uint8), np.array(labels), given_groups, 3, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 1}, r"data\.fold=1: expected data\.folds=…"),
        ({"folds": 5}, r"data\.folds=5: expected data\.fold=…, from 0 to 4, beside it, or an ablation"),
        ({"folds": 5, "fold": 5}, r"data\.fold=5: expected a number from 0 to 4, for data\.folds=5"),
        ({"folds": 1, "fold": 0}, r"data\.folds=1: expected .*2"),
        ({"folds": 5, "fold": 0, "train_on": "train_val"}, r"data\.train_on=train_val: .* expected train"),
    ],
)
def test_a_fold_that_makes_no_sense_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FaceDataModule("synthetic", **options)  # type: ignore[arg-type]


def test_the_data_module_validates_on_its_fold(tmp_path) -> None:
    drawing = {"n_train": 40, "n_val": 20, "n_test": 20}
    modules = [
        FaceDataModule("synthetic", drawing=drawing, folds=3, fold=fold, seed=4, cache_dir=str(tmp_path))  # type: ignore[arg-type]
        for fold in range(3)
    ]
    everything = np.flatnonzero(modules[0].faces.splits != TEST)
    assert np.array_equal(np.sort(np.concatenate([one.val_indices for one in modules])), everything)
    for one in modules:
        assert np.array_equal(np.sort(np.concatenate([one.train_indices, one.val_indices])), everything)
    assert len(modules[0].faces.indices("test")) == 20
