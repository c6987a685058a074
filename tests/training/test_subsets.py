"""Any subset of faces is drawn over the classes, by the seed, though data lie sorted by class."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.errors import ConfigError
from fer_lightning.explain.subject import Subject
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.training.checkpoints import load_classifier
from training_runs import run


@pytest.fixture
def sorted_faces(tmp_path: Path) -> list[str]:
    """Overrides for a folder of three classes, 400 training and 60 validation faces each, sorted by class."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 400), ("val", 60)):
        for name in ("a", "b", "c"):
            (tmp_path / "faces" / split / name).mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
                image.save(tmp_path / "faces" / split / name / f"{i}.png")
    return [
        *(
            "data=image_folder",
            f"data.path={tmp_path}/faces",
            f"data.cache_dir={tmp_path}/cache",
            "model=small",
        ),
        *("data.image_size=16", "trainer.max_epochs=1", "trainer.accelerator=cpu", "threads=1", "logger=csv"),
    ]


def counts(folder: Path) -> list[int]:
    return [sum(row) for row in json.loads((folder / "confusion.json").read_text())["counts"]]


def test_confusion_without_validation_is_of_all_classes(tmp_path, sorted_faces):
    run(tmp_path / "r", sorted_faces, "data.train_on=train_val", "data.fraction=0.1")
    assert counts(tmp_path / "r") == [171, 171, 171]


def test_a_share_is_validated_on(tmp_path, sorted_faces):
    whole = FaceDataModule("image_folder", f"{tmp_path}/faces", image_size=16, cache_dir=f"{tmp_path}/cache")
    run(tmp_path / "r", sorted_faces, "data.eval_fraction=0.1")
    stored = read_predictions(tmp_path / "r" / "val_logits.npz")
    assert counts(tmp_path / "r") == [6, 6, 6]
    assert set(stored.ids) < set(whole.faces.ids[whole.faces.indices("val")])
    # Not the first ones of each class, and the same in each run.
    assert {int(name.split("/")[2][:-4]) for name in stored.ids} - set(range(6))
    run(tmp_path / "again", sorted_faces, "data.eval_fraction=0.1", "seed=1")
    assert np.array_equal(read_predictions(tmp_path / "again" / "val_logits.npz").ids, stored.ids)
    assert json.loads((tmp_path / "r" / "run.json").read_text())["data"]["validated_on"] == 18
    shown = json.loads((tmp_path / "r" / "saliency.json").read_text())["faces"]
    assert {face["id"] for face in shown} <= set(stored.ids)
    module = load_classifier(tmp_path / "r" / "checkpoints" / "best.ckpt")
    subject = Subject(module, SplitPictures(whole, "val"), predict=lambda _: stored)
    assert np.array_equal(subject.pictures.ids[subject.positions], stored.ids)
    with pytest.raises(ConfigError, match=r"data\.eval_fraction=1\.0: .* was trained with 0\.1"):
        run(tmp_path / "r", sorted_faces, "resume=true")


@pytest.mark.parametrize("limit", ["2", "0.5"])
def test_limited_validation_sees_all_classes(tmp_path, sorted_faces, limit):
    run(tmp_path / "r", sorted_faces, f"trainer.limit_val_batches={limit}", "data.eval_batch_size=45")
    assert sum(counts(tmp_path / "r")) == 90
    assert counts(tmp_path / "r") == [30, 30, 30]


def test_whole_validation_of_a_small_share_is_said(tmp_path, sorted_faces, caplog):
    caplog.set_level(logging.INFO)
    run(tmp_path / "r", sorted_faces, "data.fraction=0.05")
    said = "each validation is on all 180 images; data.eval_fraction=0.05 takes a share of them too"
    assert said in [record.message for record in caplog.records]


def test_without_validation_faces_the_key_is_named(tmp_path, sorted_faces):
    for file in (tmp_path / "faces" / "val").rglob("*.png"):
        file.unlink()
    for folder in (*(tmp_path / "faces" / "val").iterdir(), tmp_path / "faces" / "val"):
        folder.rmdir()
    with pytest.raises(
        ConfigError, match=r"^data\.val_fraction=0\.0: the data have no validation split; expected"
    ):
        run(tmp_path / "r", sorted_faces, "data.val_fraction=0.0")
    assert run(tmp_path / "s", sorted_faces, "data.val_fraction=0.0", "data.train_on=train_val").epochs == 1


def test_skipped_pictures_are_listed_in_the_runs_folder(tmp_path, sorted_faces):
    (tmp_path / "faces" / "train" / "a" / "cut.png").write_bytes(b"")
    run(tmp_path / "r", sorted_faces, "data.unreadable=skip")
    assert (tmp_path / "r" / "unreadable.txt").read_text() == "train/a/cut.png: not an image (0 bytes)\n"
    assert json.loads((tmp_path / "r" / "run.json").read_text())["data"]["unreadable"] == 1
