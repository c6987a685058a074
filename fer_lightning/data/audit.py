"""The audit of a data set: class counts, blank images, exact copies and copies under different labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_lightning.data.duplicates import conflicting_among, copies_among, is_blank, pixel_groups
from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.data.label import data_label


@dataclass(frozen=True)
class SplitAudit:
    """What the audit found in one split.

    Attributes
    ----------
    split
        One of ``train``, ``val``, ``test``.
    faces
        Number of faces.
    class_counts
        Number of faces of each class.
    blank
        Number of images with one grey level only.
    copies_in
        For each split, the number of this split's faces of which an exact copy (another face) is in that one.
    conflicting_groups
        Number of groups of copies within this split that carry more than one label.
    """

    split: str
    faces: int
    class_counts: tuple[int, ...]
    blank: int
    copies_in: dict[str, int]
    conflicting_groups: int


@dataclass(frozen=True)
class FlaggedFace:
    """A face that is blank or has an exact copy.

    Attributes
    ----------
    group
        Number of its group of copies, 1 for the first found; 0 if it has no copy.
    copy_in
        The splits that hold a copy of it.
    conflicting
        Whether a copy, in whatever split, carries another label.
    """

    id: str
    split: str
    class_name: str
    group: int
    copy_in: tuple[str, ...]
    conflicting: bool
    blank: bool


@dataclass(frozen=True)
class AuditReport:
    """What is wrong, or merely uneven, in a data set.

    Attributes
    ----------
    splits
        One entry for each split that has faces.
    copy_groups, copied_faces
        Number of groups of two or more faces with equal pixels, over all splits, and of the faces in them.
    conflicting_groups
        Number of those groups that carry more than one label. Groups that conflict only across splits count
        here and in no split.
    flagged
        Every face that is blank or has a copy, in the order of the data set.
    """

    name: str
    synthetic: bool
    fingerprint: str
    image_size: tuple[int, int]
    class_names: tuple[str, ...]
    splits: tuple[SplitAudit, ...]
    copy_groups: int
    copied_faces: int
    conflicting_groups: int
    flagged: tuple[FlaggedFace, ...]

    @property
    def faces(self) -> int:
        """Number of faces over all splits."""
        return sum(split.faces for split in self.splits)

    @property
    def title(self) -> str:
        """The data set's name, with a word of warning where the faces were drawn by a program."""
        return data_label(self.name, self.synthetic)


def audit(faces: Faces) -> AuditReport:
    """Count classes, blanks, exact copies and conflicting labels in each split and across the splits.

    Two faces are copies when all their pixels are equal. On FER2013 in Kaggle's folder form this finds 280
    PublicTest and 288 PrivateTest faces with a copy in Training, 12 blank images and 42 groups of copies with
    conflicting labels within a split (39 in Training, 1 in PublicTest, 2 in PrivateTest); taken over all
    splits 57 groups conflict.
    """
    groups = pixel_groups(faces.images)
    everywhere = np.ones(len(faces), bool)
    within = {split: faces.splits == i for i, split in enumerate(SPLITS)}
    copies_in = {split: copies_among(groups, mask) for split, mask in within.items()}
    copied = copies_among(groups, everywhere)
    conflicting = conflicting_among(groups, faces.labels, everywhere)
    blank = is_blank(faces.images)

    def of_split(split: str) -> SplitAudit:
        mask = within[split]
        return SplitAudit(
            split,
            int(mask.sum()),
            tuple(np.bincount(faces.labels[mask], minlength=len(faces.class_names)).tolist()),
            int(blank[mask].sum()),
            {other: int(copies[mask].sum()) for other, copies in copies_in.items() if within[other].any()},
            _number_of_groups(groups, conflicting_among(groups, faces.labels, mask)),
        )

    return AuditReport(
        name=faces.name,
        synthetic=faces.synthetic,
        fingerprint=faces.fingerprint,
        image_size=(faces.images.shape[1], faces.images.shape[2]),
        class_names=faces.class_names,
        splits=tuple(of_split(split) for split in SPLITS if within[split].any()),
        copy_groups=_number_of_groups(groups, copied),
        copied_faces=int(copied.sum()),
        conflicting_groups=_number_of_groups(groups, conflicting),
        flagged=_flag(faces, groups, copies_in, copied, conflicting, blank),
    )


def _number_of_groups(groups: np.ndarray, mask: np.ndarray) -> int:
    return len(np.unique(groups[mask]))


def _flag(
    faces: Faces,
    groups: np.ndarray,
    copies_in: dict[str, np.ndarray],
    copied: np.ndarray,
    conflicting: np.ndarray,
    blank: np.ndarray,
) -> tuple[FlaggedFace, ...]:
    numbers: dict[int, int] = {}
    flagged = []
    for i in np.flatnonzero(copied | blank).tolist():
        number = numbers.setdefault(int(groups[i]), len(numbers) + 1) if copied[i] else 0
        flagged.append(
            FlaggedFace(
                id=str(faces.ids[i]),
                split=SPLITS[faces.splits[i]],
                class_name=faces.class_names[faces.labels[i]],
                group=number,
                copy_in=tuple(split for split, copies in copies_in.items() if copies[i]),
                conflicting=bool(conflicting[i]),
                blank=bool(blank[i]),
            )
        )
    return tuple(flagged)
