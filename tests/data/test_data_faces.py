from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fer_forms import small_fer
from fer_lightning.data.faces import Faces

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
        ({"images": RAW.images[0]}, r"images are uint8 \(48, 48\)"),
        ({"labels": RAW.labels[1:]}, r"labels have shape \(34,\); expected \(35,\)"),
        ({"ids": RAW.ids[1:]}, "ids have shape"),
        ({"labels": RAW.labels + 1}, "labels run from 1 to 7; expected 0..6"),
        ({"splits": np.full(35, -1)}, "splits run from -1 to -1; expected 0..2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RAW, **change)
