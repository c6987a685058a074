"""Verdicts without the faces that training has seen, against counts made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fer_lightning.config.compose import compose_config
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.runs.run import Run
from fer_lightning.stats.cross_validation import out_of_fold
from fer_lightning.stats.records import ArmRun
from fer_lightning.study.without_copies import without_copies
from fer_lightning.training.build import build_data

EACH = 4  # validation faces of each of two classes


@pytest.fixture
def faces(tmp_path) -> Path:
    """Of the eight validation faces the first is an exact copy of a training face, the second a near one."""
    random = np.random.default_rng(0)
    folder = tmp_path / "faces"
    for split, count in (("train", 6), ("val", EACH), ("test", 1)):
        for label in ("a", "b"):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 250, (48, 48), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / label / f"{number}.png")
    copied = folder / "train" / "a" / "3.png"
    (folder / "val" / "a" / "0.png").write_bytes(copied.read_bytes())
    marked = np.array(Image.open(copied)) + 5
    marked[:4, :4] = 255
    Image.fromarray(marked).save(folder / "val" / "a" / "1.png")
    return folder


@pytest.fixture
def runs(faces, tmp_path) -> list[ArmRun]:
    """Two arms of one seed: the first has the copies right and two others, the second three others."""
    words = ["data=image_folder", f"data.path={faces}", f"data.cache_dir={tmp_path}/cache"]
    config = compose_config(words)
    data = FaceDataModule("image_folder", str(faces), cache_dir=f"{tmp_path}/cache")
    ids = np.asarray(data.faces.ids)[data.faces.indices("val")]
    labels = data.faces.labels[data.faces.indices("val")]
    made = []
    for arm, right in (("base", [0, 1, 2, 4]), ("other", [2, 3, 5])):
        folder = tmp_path / arm
        folder.mkdir()
        OmegaConf.save(config, folder / "config.yaml")
        (folder / "run.json").write_text(json.dumps({"data": {"fingerprint": data.faces.fingerprint}}))
        chosen = np.where(np.isin(np.arange(2 * EACH), right), labels, 1 - labels)
        write_predictions(
            folder / "val_logits.npz",
            Predictions(np.eye(2, dtype=np.float32)[chosen], labels, ids, ("a", "b")),
        )
        made.append(ArmRun(arm, 0, value=len(right) / 8, run=Run(folder)))
    return [*made, ArmRun("other", 1, state="FAIL")]


@pytest.mark.parametrize(("kind", "of", "base", "other"), [("no_copy", 7, 3, 3), ("no_near_copy", 6, 2, 3)])
def test_accuracy_is_that_of_the_faces_without_copies(runs, kind, of, base, other):
    found = without_copies(runs, kind)
    assert [run.value for run in found[:2]] == pytest.approx([base / of, other / of])
    assert all(run.predictions is not None and len(run.predictions.labels) == of for run in found[:2])
    assert {run.predictions.class_names for run in found[:2]} == {("a", "b")}
    assert found[2] is runs[2]


def test_under_cross_validation_each_fold_is_judged_against_its_own_training_faces(faces, tmp_path):
    """Both of a pair of copies lie in one pool: they are judged only where no seed has them in different folds."""
    made = []
    for seed in range(5):
        parts = []
        for fold in (0, 1):
            words = [
                "data=image_folder",
                f"data.path={faces}",
                "data.folds=2",
                f"data.fold={fold}",
                f"seed={seed}",
            ]
            config = compose_config([*words, f"data.cache_dir={tmp_path}/cache"])
            data = build_data(config)
            chosen = data.faces.indices("val")
            labels = data.faces.labels[chosen]
            folder = tmp_path / f"run-{seed}-{fold}"
            folder.mkdir()
            OmegaConf.save(config, folder / "config.yaml")
            (folder / "run.json").write_text(json.dumps({"data": {"fingerprint": data.faces.fingerprint}}))
            ids = np.asarray(data.faces.ids)[chosen]
            write_predictions(
                folder / "val_logits.npz",
                Predictions(np.eye(2, dtype=np.float32)[labels], labels, ids, ("a", "b")),
            )
            parts.append(ArmRun("base", seed, value=1.0, run=Run(folder)))
        made.append(out_of_fold(parts, 2))
    pair = {"train/a/3.png", "val/a/0.png"}
    folds = [
        [next(k for k, p in enumerate(run.parts) if name in p.predictions.ids) for name in pair]
        for run in made
    ]
    apart = any(one != other for one, other in folds)
    found = without_copies(made, "no_copy")
    for run in found:
        assert run.complete
        assert set(run.predictions.ids) & pair == (set() if apart else pair)
        assert len(run.predictions.ids) == 2 * (6 + EACH) - (2 if apart else 0)
    assert apart  # under one of the seeds, or the test shows nothing


def test_what_it_needs_is_said(runs, faces, tmp_path):
    with pytest.raises(DataError, match=r"faces=no_copy: no complete run with a folder"):
        without_copies([runs[2]], "no_copy")
    (faces / "val" / "b" / "4.png").write_bytes((faces / "val" / "b" / "1.png").read_bytes())
    with pytest.raises(ConfigError, match=r"not the data that .*base was trained on"):
        without_copies(runs, "no_copy")
    (tmp_path / "base" / "run.json").write_text("{}")
    with pytest.raises(DataError, match=r"base: its val_logits\.npz is not of the data's 9 validation faces"):
        without_copies(runs, "no_copy")
    (tmp_path / "base" / "val_logits.npz").unlink()
    again = [replace(run, run=replace(run.run)) for run in runs]
    with pytest.raises(DataError, match=r"base: no val_logits\.npz"):
        without_copies(again, "no_copy")
    (tmp_path / "base" / "config.yaml").unlink()
    with pytest.raises(
        DataError, match=r"base: its config\.yaml cannot be read \(No such file or directory\)"
    ):
        without_copies(again, "no_copy")
    with pytest.raises(ConfigError, match=r"data\.pth: no such key; did you mean data\.path"):
        without_copies(
            [replace(run, run=Run(tmp_path / "other")) for run in runs], "no_copy", {"data.pth": "x"}
        )
