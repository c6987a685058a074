"""On the real FER2013, given by FER2013_PATH: Kaggle's folder form, as a zip or extracted."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fer_lightning.data.audit import audit
from fer_lightning.data.duplicates import exclusion_mask, has_training_copy
from fer_lightning.data.faces import Faces
from fer_lightning.data.near_copies import has_near_copy
from fer_lightning.data.source import load_faces

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    return load_faces("fer2013", os.environ["FER2013_PATH"], cache_dir=tmp_path_factory.mktemp("cache"))


def test_the_published_sizes_and_statistics(faces: Faces) -> None:
    assert np.bincount(faces.splits).tolist() == [28709, 3589, 3589]
    assert np.bincount(faces.labels).tolist() == [4953, 547, 5121, 8989, 6077, 4002, 6198]
    counts = np.bincount(faces.images[faces.indices("train")].ravel(), minlength=256)
    levels, shares = np.arange(256) / 255, counts / counts.sum()
    mean = (shares * levels).sum()
    assert round(mean, 4) == 0.5077
    assert round(((shares * (levels - mean) ** 2).sum()) ** 0.5, 4) == 0.2551


def test_ids_agree_with_splits(faces: Faces) -> None:
    prefixes = np.array([str(name).split("_")[0] for name in faces.ids])
    assert (prefixes == np.array(["Training", "PublicTest", "PrivateTest"])[faces.splits]).all()


def test_copies_conflicts_and_blanks(faces: Faces) -> None:
    report = audit(faces)
    train, val, test = report.splits
    assert val.copies_in["train"] == 280
    assert test.copies_in["train"] == 288
    assert [split.blank for split in report.splits] == [11, 1, 0]
    # The 42 groups that are commonly given are counted within each split; 57 is over all splits.
    assert [split.conflicting_groups for split in report.splits] == [39, 1, 2]
    assert report.conflicting_groups == 57
    assert (report.copy_groups, report.copied_faces) == (1516, 3369)
    assert train.copies_in["train"] == 2271


def test_no_training_copy_is_left_after_excluding_the_leaked(faces: Faces) -> None:
    mask = exclusion_mask(faces, ["leaked"])
    assert mask.sum() == 703
    kept = np.flatnonzero((faces.splits == 0) & ~mask)
    assert not has_training_copy(faces, kept)[faces.splits > 0].any()
    assert has_training_copy(faces)[faces.splits == 2].sum() == 288


def test_near_copies_of_training_faces_beside_the_exact_ones(faces: Faces) -> None:
    exact, training = has_training_copy(faces), faces.images[faces.splits == 0]
    found = []
    for split in (1, 2):
        others = (faces.splits == split) & ~exact
        found.append(int(has_near_copy(faces.images[others], training).sum()))
    assert found == [208, 231]  # docs/record.md
