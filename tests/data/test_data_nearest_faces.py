"""The nearest faces of a set, against comparing every pixel of all of them."""

from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.data.near_copies import nearest_correlation
from fer_lightning.data.nearest_faces import nearest_faces


def pictures(count: int, seed: int, size: int = 24) -> np.ndarray:
    """Smooth random pictures: a few strong waves each, so that some are alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(2 * np.pi * (a * x + b * y)) for a in range(3) for b in range(3)]
    mixed = np.einsum("nw,whk->nhk", rng.normal(size=(count, 9)), np.array(waves))
    return np.clip(mixed * 30 + 128 + rng.normal(0, 4, mixed.shape), 0, 255).astype(np.uint8)


def expected(faces: np.ndarray, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(
        [
            [max(np.corrcoef(s.ravel(), k.ravel())[0, 1] for s in (face, face[:, ::-1])) for k in known]
            for face in faces
        ]
    )
    order = np.argsort(-table, axis=1)[:, :count]
    return order, np.take_along_axis(table, order, axis=1)


def test_the_nearest_faces_are_those_that_correlate_most():
    faces, known = pictures(40, 0), pictures(300, 1)
    found, values = nearest_faces(faces, known, 3)
    order, correlations = expected(faces, known, 3)
    assert (found[:, 0] == order[:, 0]).all()
    assert (found == order).mean() > 0.97
    same = found == order
    assert values[same] == pytest.approx(correlations[same], abs=1e-4)
    assert (np.diff(values, axis=1) <= 0).all()


def test_a_mirrored_and_a_lit_copy_come_first_and_no_face_comes_twice():
    known = pictures(50, 2)
    seen = np.stack([known[7][:, ::-1], (known[9] * 0.5 + 60).astype(np.uint8)])
    found, values = nearest_faces(seen, known, 3)
    assert found[:, 0].tolist() == [7, 9]
    assert values[:, 0] == pytest.approx([1, 1], abs=2e-3)
    assert all(len(set(row)) == 3 for row in found.tolist())


def test_a_small_set_gives_as_many_as_it_has_and_a_blank_face_is_near_to_none():
    known = pictures(2, 3)
    assert nearest_faces(known, known, 3)[0].tolist() == [[0, 1], [1, 0]]
    assert nearest_faces(known, known[:0], 3)[0].shape == (2, 0)
    blank = np.full((1, 24, 24), 7, np.uint8)
    assert nearest_faces(blank, known, 1)[1].tolist() == [[0.0]]


def test_faces_in_colour_are_compared_in_colour_as_near_copies_are():
    tints = np.random.default_rng(4).uniform(0.2, 1, (60, 1, 1, 3))
    known = np.clip(pictures(60, 5)[..., None] * tints, 0, 255).astype(np.uint8)
    known[10] = known[10, ..., :1]
    green = np.zeros((1, 24, 24, 3), np.uint8)
    green[0, 6:18, 6:18, 1] = 200
    red = np.zeros_like(green)
    red[..., 0] = green[..., 1]
    known = np.concatenate([known, green])
    seen = np.concatenate([known[3:4, :, ::-1], known[10:11], red])
    found, values = nearest_faces(seen, known, 2)
    assert found[:2, 0].tolist() == [3, 10]
    assert values[:, 0] == pytest.approx(nearest_correlation(seen, known), abs=1e-4)
    assert values[2, 0] < 0.9
