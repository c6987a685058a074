"""The faces of a study that tell most, as a table: those that its runs get wrong, and those on which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from fer_lightning.messages import counted
from fer_lightning.report.gallery.face_table import UNDECIDED, UNSEEN, FaceTable
from fer_lightning.report.gallery.study_gallery import StudyFaces

if TYPE_CHECKING:
    from fer_lightning.stats.label_doubts import DoubtfulFace

MOST_ROWS: Final = 500
MOST_ARMS: Final = 20
LARGEST: Final = 96
"""Pixels of a thumbnail's side."""
WRONG, DIFFER = "wrong", "differ"


def share_right(table: FaceTable, members: Sequence[int] | None = None) -> np.ndarray:
    """Return the share of some of the R runs, or of all, that are right: float ``[N]``, NaN where none saw a face."""
    predicted = table.predicted if members is None else table.predicted[:, list(members)]
    seen = (predicted != UNSEEN).sum(axis=1)
    right = (predicted == table.labels[:, None]).sum(axis=1)
    return np.where(seen > 0, right / np.maximum(seen, 1), np.nan)


def telling_rows(table: FaceTable, most: int = MOST_ROWS) -> tuple[np.ndarray, list[str]]:
    """Choose the faces that tell most.

    Half of them are those that the smallest share of runs gets right, half those on which the runs differ most, that is
    with a share next to one half; among equals those whose true class is the least probable.

    Returns
    -------
    rows
        Positions of at most ``most`` faces, int64: those that are wrong most often first.
    reasons
        For each of them :data:`WRONG` or :data:`DIFFER`, by which of the two it was chosen.
    """
    share = np.nan_to_num(share_right(table), nan=1.0)
    means = table.mean_probabilities(range(len(table.runs)))
    truth = means[np.arange(len(table)), table.labels].astype(np.int64)
    wrong = np.lexsort((truth, share))[: most - most // 2]
    differ = np.lexsort((truth, np.abs(share - 0.5)))
    more = differ[~np.isin(differ, wrong)][: most - len(wrong)]
    rows = np.concatenate([wrong, more])
    reasons = [WRONG] * len(wrong) + [DIFFER] * len(more)
    order = np.lexsort((truth[rows], share[rows]))
    return rows[order], [reasons[place] for place in order]


def choice_in_words(faces: StudyFaces, count: int) -> str:
    """Return how the rows of `faces_rows` were chosen, as sentences."""
    table = faces.table
    total = counted(len(table), "validation face")
    by = counted(len(table.runs), "run")
    said = f"faces: all {total}, by {by}, those that are wrong most often first."
    if count < len(table):
        said = (
            f"faces: {count:,} of {total}, by {by}: half of them ({WRONG}) those that the fewest runs get right, half "
            f"({DIFFER}) those on which the runs differ most."
        )
    if len(faces.arms) > MOST_ARMS:
        said += f" Shares right are of the first {MOST_ARMS} of {len(faces.arms)} arms."
    return " ".join([said, *(f"{note}." for note in faces.notes)])


def faces_rows(
    faces: StudyFaces, doubts: Sequence[DoubtfulFace] = (), most: int = MOST_ROWS
) -> tuple[list[str], list[list[Any]]]:
    """Return the header and the rows of the table of faces.

    A row has the face's thumbnail (a PIL image, where the pictures are at hand), its id, the true class, the class that
    most runs predict, why it was chosen, the share of all runs and of each arm's seeds that are right, the mean
    probability of each class and, of a doubtful label, its score and the suggested class. Shares and probabilities are
    fractions.

    Parameters
    ----------
    faces
        Of the study.
    doubts
        The faces of doubtful label.
    most
        Rows.
    """
    table, shown = faces.table, faces.shown
    chosen, reasons = telling_rows(table, most)
    some = table.only(chosen)
    names = table.class_names
    arms = dict(list(faces.arms.items())[:MOST_ARMS])
    by_id = {face.id: face for face in doubts}
    header = [
        *(["face"] if shown is not None else []),
        *("id", "true", "predicted", "chosen for", "runs right"),
        *(f"seeds right: {arm}" for arm in arms),
        *(f"p({name})" for name in names),
        *(("doubt score", "suggested") if by_id else ()),
    ]
    overall = share_right(some)
    by_arm = [share_right(some, members) for members in arms.values()]
    probabilities = some.mean_probabilities(range(len(some.runs))) / 255
    majority = _majority(some)
    rows = []
    for place, name in enumerate(some.ids.tolist()):
        predicted = names[majority[place]] if majority[place] < UNDECIDED else ""
        doubt = by_id.get(name)
        rows.append(
            [
                *([_thumbnail(shown.faces.images[shown.rows[chosen[place]]])] if shown is not None else []),
                *(name, names[some.labels[place]], predicted, reasons[place]),
                *(_rounded(share[place]) for share in (overall, *by_arm)),
                *(_rounded(value) for value in probabilities[place]),
                *((None, None) if doubt is None else (round(doubt.score, 4), doubt.suggested))[
                    : 2 * bool(by_id)
                ],
            ]
        )
    return header, rows


def _majority(table: FaceTable) -> np.ndarray:
    """Return the class that most runs predict, the first of several: int ``[N]``; `UNDECIDED` where none does."""
    counts = np.stack(
        [(table.predicted == label).sum(axis=1) for label in range(len(table.class_names))], axis=1
    )
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), UNDECIDED)


def _thumbnail(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(np.asarray(picture))
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return image


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)
