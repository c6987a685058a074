from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fer_forms import small_fer
from fer_lightning.data.faces import Faces
from fer_lightning.data.picture_arrays import as_pictures, as_tensor

RAW = small_fer()


def test_indices_of_a_split() -> None:
    splits = np.array([2, 0, 1, 0, 2], np.uint8)
    faces = Faces(RAW.images[:5], RAW.labels[:5], splits, RAW.ids[:5], RAW.class_names, "f", "x", False)
    assert [faces.indices(split).tolist() for split in ("train", "val", "test")] == [[1, 3], [2], [0, 4]]
    assert len(faces) == 5
    with pytest.raises(ValueError, match="split is 'valid'; expected one of train, val, test"):
        faces.indices("valid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": RAW.images.astype(np.float32)}, "images are float32"),
        ({"images": RAW.images[0]}, r"images have shape \(48, 48\); expected grey"),
        ({"labels": RAW.labels[1:]}, r"labels have shape \(34,\); expected \(35,\)"),
        ({"ids": RAW.ids[1:]}, "ids have shape"),
        ({"labels": RAW.labels + 1}, "labels run from 1 to 7; expected 0..6"),
        ({"splits": np.full(35, -1)}, "splits run from -1 to -1; expected 0..2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RAW, **change)


@pytest.mark.parametrize(("shape", "channels"), [((5, 7, 6), 1), ((5, 7, 6, 3), 3)])
def test_pictures_and_tensors_are_two_views_of_one_memory(shape: tuple[int, ...], channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    tensor = as_tensor(images)
    assert tensor.shape == (5, channels, 7, 6)
    assert int(tensor[3, channels - 1, 2, 4]) == (images[3, 2, 4] if channels == 1 else images[3, 2, 4, 2])
    assert np.array_equal(as_pictures(tensor), images)
    assert np.shares_memory(as_pictures(tensor), images)


@pytest.mark.parametrize("shape", [(7, 6), (5, 7, 6, 1), (5, 3, 7, 6), (5, 7, 6, 4)])
def test_other_shapes_are_no_pictures(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected grey \[N, H, W\] or colour \[N, H, W, 3\]"):
        as_tensor(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"expected \[N, 1, H, W\] or \[N, 3, H, W\]"):
        as_pictures(torch.zeros(5, 4, 7, 6))


def test_colour_faces_have_three_channels() -> None:
    colour = replace(RAW, images=np.stack([RAW.images] * 3, axis=3))
    assert (RAW.channels, colour.channels) == (1, 3)
