from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.data.duplicates import (
    Exclusion,
    exclusion_mask,
    has_training_copy,
    is_blank,
    pixel_groups,
)
from fer_lightning.data.faces import Faces
from fer_lightning.errors import ConfigError


def faces_of(rows: list[tuple[int, int, int]]) -> Faces:
    """Faces given as (picture, split, label); picture 0 is blank, others differ in one pixel."""
    images = np.zeros((len(rows), 3, 3), np.uint8)
    for image, (picture, _, _) in zip(images, rows, strict=True):
        image[1, 1] = picture
    _, splits, labels = np.array(rows, np.int64).reshape(-1, 3).T
    ids = np.array([f"face {i}" for i in range(len(rows))])
    return Faces(images, labels, splits.astype(np.uint8), ids, ("a", "b", "c"), "f", "x", False)


TRAIN, VAL, TEST = range(3)
# Near copies have tests of their own: these pictures differ in one pixel.
EXACT = [kind for kind in get_args(Exclusion) if kind != "nearly_leaked"]
#             picture, split, label
EXAMPLE = faces_of(
    [
        (0, TRAIN, 0),  # 0 blank
        (1, TRAIN, 0),  # 1 copied in train, same label
        (2, VAL, 1),  # 2 copy of a training face
        (1, TRAIN, 0),  # 3 repeats 1
        (2, TRAIN, 1),  # 4 copied in val
        (3, TRAIN, 0),  # 5 conflicts with 6
        (3, TRAIN, 1),  # 6 repeats 5 and conflicts
        (4, TEST, 0),  # 7 conflicts with 8, both outside train
        (4, TEST, 1),  # 8
        (5, TRAIN, 2),  # 9 unique
        (6, TRAIN, 2),  # 10 conflicts with val's label only
        (6, VAL, 0),  # 11
    ]
)


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [("leaked", [4, 10]), ("duplicates", [3, 6]), ("conflicting", [5, 6]), ("blank", [0])],
)
def test_each_kind_leaves_out_what_it_says(kind: str, left_out: list[int]) -> None:
    assert np.flatnonzero(exclusion_mask(EXAMPLE, [kind])).tolist() == left_out


def test_kinds_add_up() -> None:
    assert np.flatnonzero(exclusion_mask(EXAMPLE, EXACT)).tolist() == [0, 3, 4, 5, 6, 10]
    assert not exclusion_mask(EXAMPLE, []).any()


def test_training_on_validation_faces_too() -> None:
    def left_out(kind: str) -> list[int]:
        return np.flatnonzero(exclusion_mask(EXAMPLE, [kind], ("train", "val"))).tolist()

    assert left_out("leaked") == []
    assert left_out("duplicates") == [3, 4, 6, 11]
    assert left_out("conflicting") == [5, 6, 10, 11]


def test_an_unknown_kind() -> None:
    with pytest.raises(ConfigError) as error:
        exclusion_mask(EXAMPLE, ["blank", "ugly"])
    assert str(error.value) == (
        "data.exclude=['blank', 'ugly']: expected a list of any of "
        "leaked, duplicates, conflicting, blank, nearly_leaked"
    )


def test_training_copies() -> None:
    assert np.flatnonzero(has_training_copy(EXAMPLE)).tolist() == [1, 2, 3, 5, 6, 11]
    # Faces that were left out of training are no copies to have learned from.
    assert np.flatnonzero(has_training_copy(EXAMPLE, np.array([0, 9, 10]))).tolist() == [11]


def test_one_different_pixel_is_no_copy() -> None:
    images = np.full((3, 48, 48), 9, np.uint8)
    images[1, 47, 47] = 8
    groups = pixel_groups(images)
    assert groups[0] == groups[2] != groups[1]
    assert is_blank(images).tolist() == [True, False, True]


ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)), max_size=14)


@settings(deadline=None)
@given(ROWS)
def test_against_comparing_every_pair(rows: list[tuple[int, int, int]]) -> None:
    faces = faces_of(rows)
    n = range(len(rows))
    same = [[i != j and rows[i][0] == rows[j][0] for j in n] for i in n]
    train = [row[1] == TRAIN for row in rows]
    leaked = [train[i] and any(same[i][j] and not train[j] for j in n) for i in n]
    repeats = [train[i] and any(same[i][j] and train[j] for j in range(i)) for i in n]
    conflict = [train[i] and any(same[i][j] and train[j] and rows[i][2] != rows[j][2] for j in n) for i in n]
    blank = [train[i] and rows[i][0] == 0 for i in n]
    for kind, expected in zip(EXACT, (leaked, repeats, conflict, blank), strict=True):
        assert exclusion_mask(faces, [kind]).tolist() == expected, kind
    assert has_training_copy(faces).tolist() == [any(same[i][j] and train[j] for j in n) for i in n]


@settings(deadline=None)
@given(ROWS)
def test_after_leaving_out_nothing_is_left_to_leave_out(rows: list[tuple[int, int, int]]) -> None:
    faces = faces_of(rows)
    kept = ~exclusion_mask(faces, EXACT)
    rest = replace(
        faces,
        images=faces.images[kept],
        labels=faces.labels[kept],
        splits=faces.splits[kept],
        ids=faces.ids[kept],
    )
    assert not exclusion_mask(rest, EXACT).any()
    assert not has_training_copy(rest)[rest.splits != TRAIN].any()
