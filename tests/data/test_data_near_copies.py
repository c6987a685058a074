"""Near copies: the correlation against numpy's, what counts as one photograph, and what training leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.data.duplicates import exclusion_mask
from fer_lightning.data.faces import Faces
from fer_lightning.data.near_copies import has_near_copy, nearest_correlation
from fer_lightning.data.picture_arrays import LUMA


def pictures(count: int, seed: int) -> np.ndarray:
    """Smooth random pictures, as unlike one another as faces are or more."""
    grid = np.random.default_rng(seed).normal(size=(count, 6, 6))
    smooth = np.kron(grid, np.ones((4, 4)))
    return np.clip(smooth * 40 + 128, 0, 255).astype(np.uint8)


def test_the_value_is_the_largest_correlation_with_a_face_or_its_mirror_image():
    faces, known = pictures(5, 0), pictures(9, 1)
    expected = [
        max(
            np.corrcoef(side.ravel(), other.ravel())[0, 1]
            for side in (face, face[:, ::-1])
            for other in known
        )
        for face in faces
    ]
    assert nearest_correlation(faces, known) == pytest.approx(expected, abs=1e-4)


def test_light_a_mark_and_a_mirror_do_not_hide_a_copy():
    known = pictures(4, 2)
    lit = (known[0] * 0.6 + 70).astype(np.uint8)
    marked = known[1].copy()
    marked[10:13, 4:12] = 255
    seen = np.stack([lit, marked, known[2][:, ::-1], pictures(1, 3)[0]])
    assert has_near_copy(seen, known).tolist() == [True, True, True, False]


def test_a_blank_face_is_near_to_none():
    blank = np.full((1, 24, 24), 7, np.uint8)
    assert nearest_correlation(blank, blank).tolist() == [0.0]
    assert nearest_correlation(pictures(2, 0), blank[:0]).tolist() == [0.0, 0.0]


def in_colour(grey: np.ndarray, ratio: tuple[float, float, float]) -> np.ndarray:
    return (grey[..., None] * np.array(ratio)).astype(np.uint8)


def test_pictures_that_differ_in_colour_alone_are_no_copies():
    """Of one luma, as a red and a green square are: told apart in colour, alike in grey."""
    grey = pictures(6, 7) // 3
    red, green = in_colour(grey, (1.8, 0.6, 0.98)), in_colour(grey, (0.4, 1.28, 1.1))
    luma = [np.round(each @ np.array(LUMA)).astype(np.uint8) for each in (red, green)]
    assert has_near_copy(*luma).all()
    assert not has_near_copy(red, green).any()
    assert has_near_copy((red * 0.7 + 20).astype(np.uint8)[:, :, ::-1], red).all()


def test_a_cast_neither_makes_a_copy_nor_hides_that_the_colours_differ():
    grey = pictures(6, 8) // 3
    red, green = (grey[..., None] + np.array(cast, np.uint8) for cast in ((150, 0, 0), (0, 150, 0)))
    assert not has_near_copy(red, green).any()  # the same structure under another colour
    assert not has_near_copy(red[:3], red[3:]).any()  # the same colour over another structure
    assert has_near_copy(red + np.array((0, 9, 9), np.uint8), red).all()


def test_colour_values_are_the_smaller_of_two_correlations_and_those_of_grey_are_as_ever():
    random = np.random.default_rng(9)
    one, other = random.integers(0, 256, (2, 4, 8, 8, 3), dtype=np.uint8)

    def expected(a, b):
        apart = [
            image.reshape(-1, 3) - image.reshape(-1, 3).mean(0)
            for image in (a.astype(float), b.astype(float))
        ]
        structure = np.corrcoef(*(each.ravel() for each in apart))[0, 1]
        return min(structure, np.corrcoef(a.ravel(), b.ravel())[0, 1])

    values = [max(expected(side, b) for b in other for side in (a, a[:, ::-1])) for a in one]
    assert nearest_correlation(one, other) == pytest.approx(values, abs=1e-4)
    grey = pictures(9, 10)
    repeated = np.repeat(grey[..., None], 3, axis=3)
    found = nearest_correlation(repeated[:3], repeated[3:])
    assert found == pytest.approx(nearest_correlation(grey[:3], grey[3:]), abs=1e-5)
    # A colour picture is a copy of its grey version.
    tinted = in_colour(grey // 3, (1.8, 0.6, 0.98))
    assert has_near_copy(repeated, tinted).all()
    assert has_near_copy(tinted, repeated).all()


def test_training_leaves_out_near_copies_of_the_other_splits():
    train, test = pictures(4, 4), pictures(2, 5)
    train[2] = (test[1] * 0.8 + 10).astype(np.uint8)
    train[3], test[0] = 9, 9  # blank ones correlate with none, and are exact copies all the same
    images = np.concatenate([train, test])
    splits = np.array([0, 0, 0, 0, 2, 2], np.uint8)
    ids = np.array([str(number) for number in range(6)])
    faces = Faces(images, np.zeros(6, np.int64), splits, ids, ("a",), "f", "x", False)
    assert np.flatnonzero(exclusion_mask(faces, ["nearly_leaked"])).tolist() == [2, 3]
    assert np.flatnonzero(exclusion_mask(faces, ["leaked"])).tolist() == [3]
