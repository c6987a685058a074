"""The faces that tell most: which are chosen, in which order, and what stands in their rows."""

from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.data.faces import Faces
from fer_lightning.report.gallery import StudyFaces
from fer_lightning.report.gallery.face_table import FaceTable, face_table
from fer_lightning.report.gallery.shown_faces import ShownFaces
from fer_lightning.report.gallery.telling_faces import (
    DIFFER,
    WRONG,
    choice_in_words,
    faces_rows,
    share_right,
    telling_rows,
)
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.label_doubts import DoubtfulFace

NAMES = ("happy", "sad", "fear")


def of_shares(right: list[int], runs: int = 4, sure: float = 2.0) -> FaceTable:
    """A table in which as many of the runs are right for each face as is said; the others say the next class."""
    labels = np.arange(len(right)) % len(NAMES)
    predictions = []
    for run in range(runs):
        named = np.where(np.array(right) > run, labels, (labels + 1) % len(NAMES))
        logits = np.zeros((len(right), len(NAMES)), np.float32)
        logits[np.arange(len(right)), named] = sure
        predictions.append(
            Predictions(logits, labels, np.array([f"face {n}" for n in range(len(right))]), NAMES)
        )
    found = face_table(predictions, NAMES)
    assert found is not None
    return found


def test_half_are_those_that_are_wrong_and_half_those_that_differ():
    table = of_shares([4, 4, 0, 1, 2, 3, 4, 0])
    rows, reasons = telling_rows(table, 4)
    chosen = dict(zip(rows.tolist(), reasons, strict=True))
    # None right of 2 and 7; of the others, two of four are right for 4, and one or three for 3 and 5.
    assert chosen[2] == chosen[7] == WRONG
    assert chosen[4] == DIFFER
    assert set(chosen) - {2, 4, 7} <= {3, 5}
    shares = share_right(table)[rows]
    assert (np.diff(shares) >= 0).all()


def test_of_equal_shares_the_least_probable_true_class_comes_first():
    table = of_shares([0, 0, 0, 0])
    table.probabilities[:, :, :] = 100
    table.probabilities[2, :, table.labels[2]] = 3
    rows, _ = telling_rows(table, 2)
    assert rows[0] == 2


@pytest.mark.parametrize("count", [1, 3, 7])
def test_all_are_chosen_where_there_are_no_more(count):
    rows, reasons = telling_rows(of_shares([2] * count), 7)
    assert sorted(rows.tolist()) == list(range(count))
    assert len(reasons) == count


def test_a_face_that_no_run_saw_is_not_wrong():
    first, second = of_shares([4, 0], runs=2), of_shares([4], runs=2)
    assert np.isnan(share_right(first, [])).all()
    assert share_right(second).tolist() == [1.0]


def test_a_row_says_what_each_run_and_arm_takes_the_face_for():
    table = of_shares([3, 1, 4])
    images = np.arange(3 * 120 * 120, dtype=np.uint32).reshape(3, 120, 120).astype(np.uint8)
    whole = Faces(images, table.labels, np.ones(3, int), table.ids, NAMES, "faces", False, "digest")
    shown = ShownFaces(whole, np.arange(3))
    faces = StudyFaces(table, {"baseline": [0, 1], "selu": [2, 3]}, shown, ("Shown are all",))
    doubt = DoubtfulFace(1, "face 1", "sad", "fear", -0.5, 0.75, 4)
    header, rows = faces_rows(faces, [doubt])
    by_id = {row[1]: dict(zip(header, row, strict=True)) for row in rows}
    assert [row[1] for row in rows] == ["face 1", "face 0", "face 2"]
    one = by_id["face 1"]
    assert (one["true"], one["predicted"], one["runs right"]) == ("sad", "fear", 0.25)
    assert (one["seeds right: baseline"], one["seeds right: selu"]) == (0.5, 0.0)
    assert (one["doubt score"], one["suggested"]) == (-0.5, "fear")
    assert by_id["face 0"]["doubt score"] is None
    odds = np.exp(2) / (np.exp(2) + 2)
    expected = (odds + 3 * (1 - odds) / 2) / 4
    assert one["p(sad)"] == pytest.approx(expected, abs=0.005)
    assert one["face"].size == (96, 96)
    assert choice_in_words(faces, 3).startswith("faces: all 3 validation faces, by 4 runs")
    assert choice_in_words(faces, 2).startswith(
        "faces: 2 of 3 validation faces, by 4 runs: half of them (wrong)"
    )


def test_without_pictures_and_doubts_their_columns_are_left_out():
    header, rows = faces_rows(StudyFaces(of_shares([1]), {}, None, ()))
    assert header == [
        "id",
        "true",
        "predicted",
        "chosen for",
        "runs right",
        *(f"p({name})" for name in NAMES),
    ]
    assert len(rows[0]) == len(header)
