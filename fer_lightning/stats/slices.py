"""What is known of groups of faces in which networks may fail: of each slice, of all of them, of the arms in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Slice:
    """A group of faces.

    Attributes
    ----------
    number
        From 1, the largest error first.
    faces
        How many.
    error
        Mean share of the runs that are wrong on a face, 0..1.
    low, high
        Interval of the error; those of all groups hold at once with :data:`CONFIDENCE`.
    expected
        The error of a group of these true classes if it were no harder than its classes are in all faces.
    run_errors
        Each run's own error in the group.
    label, label_share
        The most frequent true class, and its share.
    taken_for, taken_share
        The class, and the true one, of the most frequent mistake as (true, predicted), and its share of all
        predictions of the group; None where there is no mistake.
    confidence
        Mean probability of the predicted class.
    failing
        Whether the interval lies above the error of all faces.
    brightness, contrast
        Mean and standard deviation of a face's levels 0–255, averaged over the faces; None without pictures.
    near_copies
        Share of faces of which training has seen a copy or near copy; None where that was not looked for.
    """

    number: int
    faces: int
    error: float
    low: float
    high: float
    expected: float
    run_errors: tuple[float, ...]
    label: str
    label_share: float
    taken_for: tuple[str, str] | None
    taken_share: float
    confidence: float
    failing: bool
    brightness: float | None = None
    contrast: float | None = None
    near_copies: float | None = None

    @property
    def beyond_class(self) -> bool:
        """Whether the interval also lies above what the slice's true classes explain."""
        return self.low > self.expected


@dataclass(frozen=True)
class ArmErrors:
    """An arm's errors: in all faces, and by slice number in those that fail.

    Attributes
    ----------
    arm, seeds
        Its name, and how many runs it has.
    error
        Of all faces, the mean over runs.
    errors
        Of each slice's faces.
    words
        "better" or "worse" than the baseline in the slice, empty where that is not decided.
    """

    arm: str
    seeds: int
    error: float
    errors: dict[int, float]
    words: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FaceSlices:
    """All groups of a set of faces.

    Attributes
    ----------
    slices
        The largest error first.
    ids, labels, group
        Name, true class and slice number of each face, ``[N]``.
    predicted
        Most frequent predicted class of each face, int64 ``[N]``.
    wrong
        Share of the runs that are wrong on each face, float64 ``[N]``.
    class_names
        The C classes.
    error, run_errors
        Of all faces: the mean over runs, and each run's.
    source
        Whose features divide the faces, and whose errors these are, in words.
    arms
        Errors of several arms; empty for a model alone.
    notes
        What a reader must know.
    """

    slices: tuple[Slice, ...]
    ids: np.ndarray
    labels: np.ndarray
    group: np.ndarray
    predicted: np.ndarray
    wrong: np.ndarray
    class_names: tuple[str, ...]
    error: float
    run_errors: tuple[float, ...]
    source: str = "the model"
    arms: tuple[ArmErrors, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def failing(self) -> tuple[Slice, ...]:
        """Those whose interval lies above the error of all faces."""
        return tuple(each for each in self.slices if each.failing)

    @property
    def sentence(self) -> str:
        """How many slices fail, and how much of the errors they hold."""
        all_faces = f"that of all {len(self.ids):,} faces ({100 * self.error:.1f} %)"
        groups = f"{len(self.slices)} groups of faces that look alike to {self.source}"
        if not self.failing:
            return f"Slices: none of {groups} has an error above {all_faces}."
        faces = sum(each.faces for each in self.failing)
        errors = sum(each.faces * each.error for each in self.failing) / self.wrong.sum()
        have = "has" if len(self.failing) == 1 else "have"
        return (
            f"Slices: of {groups}, {len(self.failing)} {have} an error above {all_faces}: "
            f"{100 * faces / len(self.ids):.0f} % of the faces and {100 * errors:.0f} % of the errors."
        )
