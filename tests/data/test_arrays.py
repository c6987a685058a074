"""Faces from arrays: from Python, and from a ``.npz``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_lightning.data import npz
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import Faces
from fer_lightning.data.source import load_faces
from fer_lightning.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
LABELS = np.arange(40) % 4
FULL = {
    "images": COLOUR,
    "labels": LABELS,
    "ids": np.array([f"face {number}" for number in range(40)]),
    "group": np.arange(40) // 8,
    "split": np.repeat(["train", "valid", "test"], [24, 8, 8]),
    "class_names": np.array(["a", "b", "c", "d"]),
}


def opened(folder: Path, **changes: Any) -> Faces:
    stored = {key: value for key, value in (FULL | changes).items() if value is not None}
    np.savez(folder / "faces.npz", **stored)
    return load_faces("arrays", folder / "faces.npz", image_size=12, channels=3, cache_dir=folder / "cache")


def test_everything_that_a_npz_may_hold(tmp_path: Path) -> None:
    faces = opened(tmp_path)
    assert (faces.images == COLOUR).all()
    assert isinstance(faces.images, np.memmap)
    assert (faces.labels == LABELS).all()
    assert faces.ids.tolist() == FULL["ids"].tolist()
    assert faces.group is not None
    assert faces.group.tolist() == [str(number // 8) for number in range(40)]
    assert np.bincount(faces.splits).tolist() == [24, 8, 8]
    assert (faces.class_names, faces.name, faces.notes) == (("a", "b", "c", "d"), "faces", ())


def test_pictures_and_labels_alone(tmp_path: Path) -> None:
    names = np.array(["glad", "sad"])[LABELS % 2]
    faces = opened(tmp_path, images=GREY, labels=names, ids=None, group=None, split=None, class_names=None)
    assert (faces.images == GREY[..., None]).all(), "grey is repeated"
    assert faces.class_names == ("glad", "sad")
    assert (faces.labels == LABELS % 2).all()
    assert faces.ids[:2].tolist() == ["00", "01"]
    assert all((faces.splits == split).any() for split in range(3))
    assert "the pictures are grey" in faces.notes[0]
    assert "the data have no splits" in faces.notes[1]


def test_pictures_are_read_block_by_block_whatever_the_compression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "_BLOCK_BYTES", 7 * 12 * 12 * 3)
    np.savez_compressed(tmp_path / "faces.npz", **FULL)
    faces = load_faces("arrays", tmp_path / "faces.npz", image_size=12, channels=3, cache_dir=tmp_path / "c")
    assert (faces.images == COLOUR).all()
    smaller = load_faces("arrays", tmp_path / "faces.npz", image_size=6, cache_dir=tmp_path / "c")
    assert smaller.images.shape == (40, 6, 6)
    assert "pictures are in colour (the first is face 0) and are read as grey" in smaller.notes[0]


def test_a_group_stays_in_one_split(tmp_path: Path) -> None:
    faces = opened(tmp_path, split=None)
    assert faces.group is not None
    assert "drawn by group, 5 of them" in faces.notes[0]
    for group in set(faces.group.tolist()):
        assert len(set(faces.splits[faces.group == group].tolist())) == 1


def test_probabilities_as_labels(tmp_path: Path) -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(4), 40)
    shares[np.arange(40), LABELS] += 1
    shares /= shares.sum(axis=1, keepdims=True)
    faces = opened(tmp_path, labels=shares)
    assert faces.targets is not None
    assert faces.targets == pytest.approx(shares, abs=1e-6)
    assert (faces.labels == LABELS).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": GREY / 255}, "images: float64 (40, 12, 12); expected uint8 [N, H, W] or [N, H, W, 3]"),
        ({"images": COLOUR.transpose(0, 3, 1, 2).copy()}, "images: uint8 (40, 3, 12, 12); expected uint8"),
        ({"images": None}, "images: is missing; it has labels, ids, group, split, class_names"),
        ({"images": np.asfortranarray(GREY)}, "images: cannot be read (stored column by column"),
        ({"label": LABELS}, "label: no such key; expected images, labels, ids, group, split, class_names"),
        ({"labels": LABELS + 1}, "labels[3] is 4; expected an index of a class, 0 to 3"),
        ({"labels": LABELS[1:]}, "labels: int64 (39,); expected whole numbers or names [40], or probab"),
        ({"labels": np.array(["a", "b", "c", "x"] * 10)}, "labels: 'x' is none of class_names (a, b, c, d)"),
        ({"labels": np.full((40, 4), 0.3)}, "labels[0] adds up to 1.2; expected probabilities of classes"),
        ({"labels": np.full((40, 3), 1 / 3)}, "labels: (40, 3); expected probabilities (40, 4)"),
        ({"ids": np.array(["x"] * 40)}, "ids: 'x' stands 40 times; expected each once"),
        ({"ids": np.arange(39)}, "ids: int64 (39,); expected names or whole numbers [40]"),
        ({"ids": np.array([None] * 40)}, "ids: cannot be read (Object arrays cannot be loaded"),
        ({"group": LABELS / 2}, "group: float64 (40,); expected names or whole numbers [40]"),
        ({"split": np.array(["train", "so"] * 20)}, "split[1] is 'so'; expected train, val, test, or ''"),
        ({"labels": LABELS * 0}, "class 'b' is empty: expected at least one face"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}/faces.npz: {message}")) as error:
        opened(tmp_path, **changes)
    assert "\n" not in str(error.value)


def test_no_npz_and_a_broken_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "faces.npz").write_text("x")
    with pytest.raises(DataError, match=r"faces\.npz: not a \.npz file; expected one with images, labels"):
        load_faces("arrays", tmp_path / "faces.npz")
    np.savez(tmp_path / "faces.npz", **FULL)
    data = bytearray((tmp_path / "faces.npz").read_bytes())
    data[3000] ^= 1
    (tmp_path / "faces.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"faces\.npz: images: cannot be read \(Bad CRC-32"):
        load_faces("arrays", tmp_path / "faces.npz", image_size=12, cache_dir=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_data_module_of_arrays() -> None:
    data = FaceDataModule.from_arrays(**FULL, batch_size=8, name="mine")
    assert (data.image_size, data.channels, data.num_classes, data.faces.name) == (12, 3, 4, "mine")
    assert len(data.train_dataloader()) == 3
    images, labels, positions = next(iter(data.train_dataloader()))
    assert torch.equal(images, torch.from_numpy(COLOUR).permute(0, 3, 1, 2)[positions])
    assert torch.equal(labels, torch.from_numpy(LABELS)[positions])
    assert data.nearly_copied_from_training("test").shape == (8,)
    grey = FaceDataModule.from_arrays(GREY, LABELS, image_size=24)
    assert grey.faces.images.shape == (40, 24, 24)
    with pytest.raises(DataError, match=r"^arrays: images: float64"):
        FaceDataModule.from_arrays(GREY / 255, LABELS)
    with pytest.raises(DataError, match=r"^mine: labels\[0\] is -1; expected an index of a class, 0 to 3"):
        _ = FaceDataModule.from_arrays(GREY, LABELS - 1, class_names=list("abcd"), name="mine").faces
    with pytest.raises(ConfigError, match=r"data=arrays does not use it"):
        FaceDataModule("arrays", "faces.npz", names="x")
