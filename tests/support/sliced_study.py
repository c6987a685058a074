"""A study on disk of which one run kept a checkpoint, and whose runs fail on one group of faces by its features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.evaluation.evaluate import data_from
from fer_lightning.explain.model_slices import grouped_faces
from fer_lightning.runs.predictions import Predictions, write_predictions
from page_study import make_study
from training_runs import save

FACES, GROUPS = 160, 6
DATA: dict[str, Any] = {
    "_target_": "fer_lightning.data.datamodule.FaceDataModule",
    "name": "synthetic",
    "drawing": {"n_train": 60, "n_val": FACES, "n_test": 20},
}
SIZES = [f"data.drawing.{name}={count}" for name, count in DATA["drawing"].items()]


@dataclass(frozen=True)
class SlicedStudy:
    """Its folder, its validation faces, and which of them are in the group on which every run fails."""

    folder: Path
    ids: np.ndarray
    labels: np.ndarray
    planted: np.ndarray


def make_sliced_study(folder: Path, n_runs: int = 8, kind: str = "ablation") -> SlicedStudy:
    """Write a study whose first run has the checkpoint of an untrained net."""
    make_study(folder, n_runs, kind=kind, epochs=2, data=DATA, pictures=False)
    place = folder / "trial_0000" / "checkpoints"
    place.mkdir()
    module = save(place / "best.ckpt", SIZES)
    pictures = SplitPictures(data_from({"data": DATA}, {}), "val")
    grouped = grouped_faces(module, pictures.batches(), pictures.ids, pictures.labels, GROUPS)
    sizes = np.bincount(grouped.group)
    planted = grouped.group == int(
        np.argmin(np.where(sizes < 15, FACES, sizes))
    )  # the smallest that can be told
    for path in folder.glob("trial_*/val_logits.npz"):
        rng = np.random.default_rng(int(path.parent.name.removeprefix("trial_")))
        wrong = rng.random(FACES) < np.where(planted, 0.95, 0.1)
        named = np.where(wrong, (pictures.labels + 2) % 7, pictures.labels)
        logits = 3 * np.eye(7)[named] + rng.normal(0, 0.3, (FACES, 7))
        write_predictions(
            path, Predictions(logits.astype(np.float32), pictures.labels, pictures.ids, pictures.class_names)
        )
    return SlicedStudy(folder, pictures.ids, pictures.labels, planted)
