"""Splits: seeded, stratified by class, and the check that every class is in every split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_lightning.config.values import CountOrZero, ShareBelowOne, check_fields
from fer_lightning.data.faces import SPLITS
from fer_lightning.errors import ConfigError, DataError

TRAIN, VAL, TEST = range(3)

UNSPLIT = 255
"""Marks a face, in an array of splits, that has not been given to a split yet."""


@dataclass(frozen=True)
class Splitting:
    """How faces are dealt to splits where their source does not say.

    Parameters
    ----------
    val_fraction, test_fraction
        Shares of each class, in [0, 1), together below 1.
    seed
        The same faces and seed give the same splits.

    Raises
    ------
    ConfigError
        If the shares leave nothing to train on.
    """

    val_fraction: ShareBelowOne = 0.15
    test_fraction: ShareBelowOne = 0.15
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        check_fields(self, "data.")
        if self.val_fraction + self.test_fraction >= 1:
            raise ConfigError(
                f"data.val_fraction={self.val_fraction} and data.test_fraction={self.test_fraction} leave "
                "nothing to train on: expected a sum below 1"
            )

    def complete(
        self,
        where: str,
        splits: np.ndarray,
        labels: np.ndarray,
        class_names: Sequence[str],
        groups: np.ndarray | None = None,
        notes: list[str] | None = None,
        of: str = "group",
    ) -> np.ndarray:
        """Give every face a split, take a validation split where there is none, and check the result.

        Faces marked UNSPLIT are dealt to train, val and test. Where the source has splits but no validation
        faces, they are taken from its training faces. Nothing that is given is otherwise changed.

        Parameters
        ----------
        where
            Name of the source, for messages.
        splits
            uint8 [N], index into SPLITS, or UNSPLIT.
        labels
            int [N], index into `class_names`.
        groups
            str [N]: all faces of a group are dealt to one split.
        notes
            What was decided is added here.
        of
            What a group is.

        Returns
        -------
        uint8 [N], index into SPLITS.

        Raises
        ------
        DataError
            As :func:`check_classes`.
        """
        splits = splits.copy()
        fractions: tuple[float, ...] = (self.val_fraction, self.test_fraction)
        dealt = np.flatnonzero(splits == UNSPLIT)
        if not len(dealt) and not (splits == VAL).any():
            dealt, fractions = np.flatnonzero(splits == TRAIN), fractions[:1]
        if len(dealt) and any(fractions):
            if groups is None:
                splits[dealt] = stratified_parts(labels[dealt], fractions, self.seed)
            else:
                splits[dealt] = grouped_parts(labels[dealt], groups[dealt], fractions, self.seed)
            if notes is not None:
                notes.append(self._note(splits, dealt, fractions, groups, of))
        check_classes(where, splits, labels, class_names)
        return splits

    def _note(
        self,
        splits: np.ndarray,
        dealt: np.ndarray,
        fractions: Sequence[float],
        groups: np.ndarray | None,
        of: str,
    ) -> str:
        counts = ", ".join(f"{(splits == split).sum():,} {name}" for split, name in enumerate(SPLITS))
        keys = ("data.val_fraction", "data.test_fraction")[: len(fractions)]
        how = f"drawn over the classes ({', '.join((*keys, 'data.split_seed'))})"
        if groups is not None:
            how = f"drawn by {of}, {len(np.unique(groups[dealt]))} of them ({', '.join((*keys, 'data.split_seed'))})"
        if len(fractions) > 1:
            return f"the data have no splits: {counts} images, {how}"
        return f"the data have no validation split: {(splits == VAL).sum():,} of {len(dealt):,} training images, {how}"


def grouped_parts(
    labels: np.ndarray, groups: np.ndarray, fractions: Sequence[float], seed: int
) -> np.ndarray:
    """Deal groups of faces to parts as a whole, each class in the same proportions as nearly as that allows.

    The largest group comes first, groups of one size in an order by the seed, and each goes where it brings the counts
    of all classes nearest to the shares.

    Parameters
    ----------
    labels
        int [N].
    groups
        [N], the group of each face.
    fractions, seed
        As in :func:`stratified_parts`.

    Returns
    -------
    int64 [N], the number of each face's part.
    """
    _, labels = np.unique(labels, return_inverse=True)
    names, groups = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), labels.max(initial=-1) + 1))
    np.add.at(counts, (groups, labels), 1)
    shares = np.array([1 - sum(fractions), *fractions])
    wanted = shares[:, None] * counts.sum(axis=0)
    have, part = np.zeros_like(wanted), np.zeros(len(names), np.int64)
    order = np.random.default_rng(seed).permutation(len(names))
    for group in order[np.argsort(-counts[order].sum(axis=1), kind="stable")]:
        # The part whose distance from what it should have shrinks most, in units of that.
        gain = (((wanted - have) ** 2 - (wanted - have - counts[group]) ** 2) / np.maximum(wanted, 1)).sum(
            axis=1
        )
        part[group] = np.where(shares > 0, gain, -np.inf).argmax()
        have[part[group]] += counts[group]
    return part[groups]


def stratified_parts(labels: np.ndarray, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Deal faces to parts so that each class is dealt in the same proportions.

    Parameters
    ----------
    labels
        int [N].
    fractions
        Share of part 1, 2, …; what remains is part 0. Of each class of n faces, a part whose fraction is over
        0 gets ``round(fraction * n)`` faces but at least one.
    seed
        The same labels and seed give the same parts.

    Returns
    -------
    int64 [N], the number of each face's part.
    """
    rng = np.random.default_rng(seed)
    parts = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        start = 0
        for part, fraction in enumerate(fractions, start=1):
            count = max(1, round(fraction * len(members))) if fraction > 0 else 0
            parts[members[start : start + count]] = part
            start += count
    return parts


def stratified_fraction(indices: np.ndarray, labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose a share of the faces, the same of each class.

    Parameters
    ----------
    indices
        int64 [M], positions to choose from.
    labels
        int [N], of all faces.
    fraction
        In (0, 1]. Of each class of m faces ``round(fraction * m)`` are chosen, but at least one.
    seed
        With the same seed a smaller share is contained in a larger one.

    Returns
    -------
    int64, ascending.
    """
    chosen = stratified_parts(labels[indices], (fraction,), seed) == 1
    return np.sort(indices[chosen])


def check_classes(where: str, splits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    """Raise DataError unless every class is in the training split and in every other split that has faces."""
    counts = np.zeros((len(SPLITS), len(class_names)), np.int64)
    np.add.at(counts, (splits, labels), 1)
    for label, class_name in enumerate(class_names):
        in_all = int(counts[:, label].sum())
        if in_all == 0:
            raise DataError(f"{where}: class {class_name!r} is empty: expected at least one face")
        for split in range(len(SPLITS)):
            if counts[split, label] == 0 and (split == TRAIN or counts[split].any()):
                raise DataError(
                    f"{where}: class {class_name!r} has no face in split {SPLITS[split]!r} (it has "
                    f"{in_all} in all): expected at least one of each class in each split"
                )
