"""Faces as every part of the project sees them: pixels, labels, splits and ids of one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fer_lightning.data.picture_arrays import channels_of

Split = Literal["train", "val", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
"""The three splits; in FER2013 they are called Training, PublicTest and PrivateTest."""

FER_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven expressions of FER2013, in the order of its ``emotion`` column."""


@dataclass(frozen=True)
class RawFaces:
    """Faces in memory, as a reader makes them, before they go through the cache.

    Attributes
    ----------
    images
        uint8, levels 0..255: grey [N, H, W] or colour [N, H, W, 3].
    labels
        int [N], index into ``class_names``.
    splits
        int [N], index into :data:`SPLITS`.
    ids
        str [N], where each face comes from, e.g. ``Training_10131363`` or ``train/happy/a.png``.
    class_names
        One name for each label.
    name
        ``fer2013``, ``synthetic``, or the folder's name.
    synthetic
        True when the faces were drawn and not photographed.
    notes
        What a person may want to know of how the faces were read; said whenever they are used.
    unreadable
        The pictures that were left out, and why.
    group
        str [N], what each face must share a split with, such as its person; None where that is not known.
    targets
        float32 [N, C], the probability of each class in place of one label; None where faces have labels alone.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]
    name: str
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    group: np.ndarray | None = None
    targets: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8:
            raise ValueError(f"images are {self.images.dtype} {self.images.shape}; expected uint8")
        channels_of(self.images)
        n = len(self.images)
        shapes = dict.fromkeys(("labels", "splits", "ids", "group"), (n,)) | {
            "targets": (n, len(self.class_names))
        }
        for what, shape in shapes.items():
            values = getattr(self, what)
            if values is not None and values.shape != shape:
                raise ValueError(f"{what} have shape {values.shape}; expected {shape}")
        for what, limit in (("labels", len(self.class_names)), ("splits", len(SPLITS))):
            values = getattr(self, what)
            if n and not (int(values.min()) >= 0 and int(values.max()) < limit):
                raise ValueError(f"{what} run from {values.min()} to {values.max()}; expected 0..{limit - 1}")

    @property
    def channels(self) -> int:
        """1 for grey pictures, 3 for colour."""
        return channels_of(self.images)


@dataclass(frozen=True)
class Faces:
    """Faces opened from the cache.

    Attributes
    ----------
    images
        uint8, levels 0..255, C order: grey [N, H, W] or colour [N, H, W, 3]. Mapped copy-on-write from the
        cache file, so that processes share its pages and `torch.from_numpy` takes it without a copy.
    labels
        int64 [N], index into ``class_names``.
    splits
        uint8 [N], index into :data:`SPLITS`.
    ids
        Fixed-width str [N], e.g. ``Training_10131363``, ``line 18`` or ``train/happy/a.png``.
    class_names
        One name for each label; for FER2013 :data:`FER_CLASSES`.
    fingerprint
        Hex digest of the content (pixels, labels, splits, class names), whatever its order or file format.
    name
        ``fer2013``, ``synthetic``, or the folder's name.
    synthetic
        True when the faces were drawn and not photographed.
    notes
        What a person may want to know of how the faces were read.
    unreadable
        The pictures that were left out, and why.
    group
        Fixed-width str [N], what each face must share a split with, such as its person; None where that is not known.
    targets
        float32 [N, C], the probability of each class in place of one label; None where faces have labels alone.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]
    fingerprint: str
    name: str
    synthetic: bool
    notes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    group: np.ndarray | None = None
    targets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def channels(self) -> int:
        """1 for grey pictures, 3 for colour."""
        return channels_of(self.images)

    def indices(self, split: str) -> np.ndarray:
        """Give the positions of a split's faces, int64 [n], ascending.

        Raises
        ------
        ValueError
            If `split` is not one of :data:`SPLITS`.
        """
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; expected one of {', '.join(SPLITS)}")
        return np.flatnonzero(self.splits == SPLITS.index(split))
