"""A confusion matrix in words, class by class: recall, what it is most often taken for, whether it is weak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from fer_lightning.config.values import Share, checked
from fer_lightning.runs.confusion_counts import Confusion

WEAK = 0.6  # a class with a recall under 60 % is named as weak


@dataclass(frozen=True)
class ClassRow:
    """One class in words.

    Attributes
    ----------
    name, faces
        The class and how many faces of the split it has.
    recall, low, high
        Share classified right with its 95 % Wilson interval over faces; NaN without faces.
    taken_for
        The wrong class it is most often taken for; several on a tie, none without a mistake.
    taken_count, taken_rate
        Faces of this class taken for (each of) them, and their share of the class.
    weak
        Whether ``recall`` is under the threshold.
    """

    name: str
    faces: int
    recall: float
    low: float
    high: float
    taken_for: tuple[str, ...]
    taken_count: int
    taken_rate: float
    weak: bool


@checked()
def class_table(matrix: Confusion, threshold: Share = WEAK) -> list[ClassRow]:
    """Say of each class its recall, what it is most often taken for, and whether it is weak.

    Parameters
    ----------
    threshold
        Recall in [0, 1] under which a class is weak.
    """
    rows = []
    for index, name in enumerate(matrix.class_names):
        wrong = matrix.counts[index].copy()
        right, faces = int(wrong[index]), int(wrong.sum())
        wrong[index] = 0
        most = int(wrong.max())
        taken_for = tuple(
            matrix.class_names[other] for other in np.flatnonzero((wrong == most) & (wrong > 0))
        )
        low, high = (
            proportion_confint(right, faces, method="wilson") if faces else (float("nan"), float("nan"))
        )
        recall = right / faces if faces else float("nan")
        rate = most / faces if faces else float("nan")
        rows.append(
            ClassRow(name, faces, recall, float(low), float(high), taken_for, most, rate, recall < threshold)
        )
    return rows


def class_cells(rows: Sequence[ClassRow]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the class table as text, rates in per cent."""
    header = ["class", "images", "recall % [95 %]", "most often taken for", "images taken", "% taken", "weak"]
    cells = []
    for row in rows:
        recall = f"{100 * row.recall:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]" if row.faces else "–"
        taken = (str(row.taken_count), f"{100 * row.taken_rate:.1f}") if row.taken_for else ("0", "0.0")
        cells.append(
            [
                row.name,
                str(row.faces),
                recall,
                " or ".join(row.taken_for) or "–",
                *taken,
                "weak" if row.weak else "",
            ]
        )
    return header, cells
