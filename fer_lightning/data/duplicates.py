"""Copies, copies under different labels and blank images: found by pixels, left out on request."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import numpy as np

from fer_lightning.config.values import checked
from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.data.near_copies import has_near_copy
from fer_lightning.data.picture_arrays import Selection

Exclusion = Literal["leaked", "duplicates", "conflicting", "blank", "nearly_leaked"]
"""What `data.exclude` may name."""
_BLOCK = 1024  # pictures compared at a time


def pixel_groups(images: np.ndarray) -> np.ndarray:
    """Number the distinct images: int64 [N], equal where all pixels are equal.

    Parameters
    ----------
    images
        uint8 [N, H, W] or [N, H, W, 3]. They are compared by a 128-bit hash (BLAKE2b).
    """
    hashes = b"".join(blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    _, groups = np.unique(np.frombuffer(hashes, dtype="V16"), return_inverse=True)
    return groups.astype(np.int64, copy=False)


def is_blank(images: np.ndarray) -> np.ndarray:
    """Say which images have one grey level, or one colour, only: bool [N]."""
    blank = np.zeros(len(images), bool)
    for start in range(0, len(images), _BLOCK):
        part = images[start : start + _BLOCK]
        blank[start : start + _BLOCK] = (part == part[:, :1, :1]).reshape(len(part), -1).all(axis=1)
    return blank


def copies_among(groups: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Say which faces have another face with the same pixels in the set `among`: bool [N].

    Parameters
    ----------
    groups
        int64 [N], from :func:`pixel_groups`.
    among
        bool [N].
    """
    counts = np.bincount(groups[among], minlength=int(groups.max(initial=-1)) + 1)
    return counts[groups] - among > 0


def conflicting_among(groups: np.ndarray, labels: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Say which faces of the set `among` have a copy in it under another label: bool [N]."""
    size = int(groups.max(initial=-1)) + 1
    lowest, highest = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(lowest, groups[among], labels[among])
    np.maximum.at(highest, groups[among], labels[among])
    return among & (highest > lowest)[groups]


def has_training_copy(faces: Faces, training: np.ndarray | None = None) -> np.ndarray:
    """Say which faces have an exact copy, other than themselves, among the training faces: bool [N].

    Parameters
    ----------
    faces
        All faces of a source.
    training
        int64 [M], positions of the faces that were trained on; None stands for the whole training split.
    """
    among = faces.splits == SPLITS.index("train")
    if training is not None:
        among = np.zeros(len(faces), bool)
        among[training] = True
    return copies_among(pixel_groups(faces.images), among)


@checked("data.")
def exclusion_mask(
    faces: Faces,
    exclude: Sequence[Exclusion],
    training_splits: Sequence[str] = ("train",),
    compared: np.ndarray | None = None,
) -> np.ndarray:
    """Say which training faces to leave out: bool [N], False outside the training splits.

    Labels of validation and test faces are never looked at, only their pixels.

    Parameters
    ----------
    faces
        All faces of a source.
    exclude
        Any of ``leaked`` (exact copies of a face outside the training splits), ``duplicates`` (all but the
        first of the copies within training), ``conflicting`` (copies within training under different labels,
        all of them), ``blank`` (one grey level only) and ``nearly_leaked`` (near copies of a face outside the
        training splits, exact ones included; see `near_copies`).
    training_splits
        The splits that are trained on.
    compared
        uint8 [N, H, W] or [N, H, W, 3]: the faces at the size at which near copies are told
        (`near_copies.NEAR_SIZE`); None takes them as they are.
    """
    excluded = np.zeros(len(faces), bool)
    if not exclude:
        return excluded
    training = np.isin(faces.splits, [SPLITS.index(split) for split in training_splits])
    groups = pixel_groups(faces.images)
    if "leaked" in exclude:
        excluded |= copies_among(groups, ~training)
    if "duplicates" in exclude:
        excluded |= repeats_among(groups, training)
    if "conflicting" in exclude:
        excluded |= conflicting_among(groups, faces.labels, training)
    if "blank" in exclude:
        excluded |= is_blank(faces.images)
    if "nearly_leaked" in exclude:
        excluded |= copies_among(groups, ~training)  # a blank face correlates with none, its copy neither
        images = faces.images if compared is None else compared
        known = Selection(images, np.flatnonzero(~training))
        excluded[training] |= has_near_copy(Selection(images, np.flatnonzero(training)), known)
    return excluded & training


def repeats_among(groups: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Say which faces of the set `among` come after a copy of themselves in it: bool [N]."""
    positions = np.flatnonzero(among)
    _, first = np.unique(groups[positions], return_index=True)
    repeats = among.copy()
    repeats[positions[first]] = False
    return repeats
