"""Folds of a cross-validation: training and validation faces together, dealt over the classes, or by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_lightning.data.splits import TEST, TRAIN, VAL, grouped_parts
from fer_lightning.errors import DataError
from fer_lightning.messages import counted


def fold_splits(
    splits: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    class_names: Sequence[str],
    *,
    folds: int,
    fold: int,
    seed: Sequence[int],
) -> np.ndarray:
    """Return the splits in which one fold is validated on and the others are trained on.

    Parameters
    ----------
    splits
        uint8 ``[N]``: of the source. Its test faces stay what they are.
    labels
        int ``[N]``, index into ``class_names``.
    groups
        ``[N]``, such as the person in each picture: the faces of one group are in one fold. ``None`` deals each face
        by itself.
    folds, fold
        How many there are, and the number of the one that is validated on, from 0.
    seed
        The same seed gives the same folds.

    Returns
    -------
    uint8 ``[N]``.

    Raises
    ------
    DataError
        There are fewer groups than folds, fewer faces of a class, or a class of which one fold has all faces.
    """
    pooled = np.flatnonzero(splits != TEST)
    if groups is None:
        parts = _stratified_folds(labels[pooled], folds, seed)
        units, unit = np.bincount(labels[pooled], minlength=len(class_names)), "faces"
        for name, count in zip(class_names, units, strict=True):
            if count < folds:
                raise DataError(
                    f"data.folds={folds}: class {name!r} has {count} {unit}; expected at least {folds}"
                )
    else:
        persons = len(np.unique(groups[pooled]))
        if persons < folds:
            raise DataError(
                f"data.folds={folds}: the faces are of {counted(persons, 'group')}; expected at least {folds}"
            )
        shares = [1 / folds] * (folds - 1)
        parts = grouped_parts(
            labels[pooled], groups[pooled], shares, int(np.random.default_rng(seed).integers(2**31))
        )
    for label, name in enumerate(class_names):
        if not np.any((labels[pooled] == label) & (parts != fold)):
            raise DataError(
                f"data.folds={folds}, data.fold={fold}: no face of class {name!r} is left to train on, for "
                "its groups are all in this fold; try another data.split_seed"
            )
    found = splits.copy()
    found[pooled] = np.where(parts == fold, VAL, TRAIN)
    return found


def _stratified_folds(labels: np.ndarray, folds: int, seed: Sequence[int]) -> np.ndarray:
    """Deal the shuffled faces of one class after the other to the folds in turn: sizes differ by one at most."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    parts = np.empty(len(labels), np.int64)
    parts[order] = np.arange(len(labels)) % folds
    return parts
