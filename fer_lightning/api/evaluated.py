"""`evaluate`: a checkpoint, or several averaged, measured on a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from fer_lightning.api.settings import data_keys
from fer_lightning.config.expectation import shown_value
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Count, Processors, Slices, checked
from fer_lightning.data.chosen_faces import ChosenFaces
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import Split
from fer_lightning.data.label import data_label
from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.data.picture_arrays import Selection
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.evaluation import evaluate as measuring
from fer_lightning.evaluation.evaluate import data_of
from fer_lightning.evaluation.evaluation import Evaluation, write_evaluation
from fer_lightning.messages import counted, one_line
from fer_lightning.runs.removed_checkpoints import why_removed
from fer_lightning.runs.run import Run
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.contract import TrainedModule

# A checkpoint's file, or a run, of which the best one counts.
Checkpoint: TypeAlias = str | Path | Run


@checked()
def evaluate(
    checkpoint: Checkpoint | Sequence[Checkpoint],
    split: Split = "val",
    *,
    data: Mapping[str, Any] | None = None,
    flip: bool = False,
    crop: Count | None = None,
    output: str | Path | None = None,
    gallery: bool | None = None,
    slices: Slices | None = None,
    threads: Processors | None = None,
) -> Evaluation:
    """Measure a checkpoint, or the average of the class probabilities of several.

    Parameters
    ----------
    checkpoint
        A file or a `Run`, or several.
    split
        "train", "val" or "test".
    data
        Keys of the data that differ from those that the model was trained on, such as ``{"path": "faces.zip"}``.
    flip, crop
        Average over mirror images, and over five crops of so many pixels (test-time augmentation).
    output
        A folder for ``evaluation.json`` and the logits, which `compare` reads.
    gallery
        Whether ``faces.html``, a page of the faces and of what the model takes each for, is written there, too. By
        default it is for the validation split; other splits are not shown.
    slices
        Into how many groups the faces are divided, by the features of the first model, to see where the models fail:
        `Evaluation.slices`, ``failing_slices.csv``, ``slice_faces.csv`` and ``failing_slices.png`` (not with
        ``gallery=False``), and a part of the page. By default that is done for the validation split where there is an
        `output`.
    threads
        Of the processor.

    Raises
    ------
    UserError
        A checkpoint, a key or the data are not as expected.

    Examples
    --------
    >>> found = evaluate("runs/one/checkpoints/best.ckpt", "test")  # doctest: +SKIP
    >>> found.metrics["acc"], found.confusion, found.predictions.logits  # doctest: +SKIP
    """
    if gallery and (output is None or split != "val"):
        raise ConfigError(
            f"gallery=true: expected output=DIR, a folder for the page, and split=val; got split={split}"
        )
    if slices and (output is None or split != "val"):
        raise ConfigError(
            f"slices={shown_value(slices)}: expected output=DIR, a folder for the files, and split=val; "
            f"got split={split}"
        )
    paths = checkpoint_paths(checkpoint)
    if threads:
        torch.set_num_threads(threads)
    found = measuring.evaluate(paths, split, data_keys(data), flip=flip, crop=crop)
    if output is None:
        return found
    folder, shown = typed_path(output), gallery or (gallery is None and split == "val")
    write_evaluation(found, paths, {"flip": flip, "crop": crop}, folder)
    if not shown and (split != "val" or slices is False):
        return found
    module, reason = load_classifier(paths[0]), None
    known = data_of(module, data_keys(data))
    if split == "val" and slices is not False:
        found, reason = _with_slices(found, module, known, slices, folder, images=gallery is not False)
    if shown:
        _write_gallery(found, paths, known, folder, reason)
    return found


def _with_slices(
    found: Evaluation,
    module: TrainedModule,
    data: FaceDataModule,
    asked: Slices | None,
    folder: Path,
    *,
    images: bool,
) -> tuple[Evaluation, str | None]:
    """Add the slices and write their files; or say why there are none, if they were not asked for."""
    from fer_lightning.explain.model_slices import evaluated_slices
    from fer_lightning.report.slice_files import write_slices  # it loads Matplotlib, scipy and scikit-learn
    from fer_lightning.stats.face_groups import group_count

    if asked is None and not group_count(True, len(found.predictions.labels)):
        return found, None
    try:
        slices = evaluated_slices(
            found, module, SplitPictures(data, found.split), True if asked is None else asked
        )
    except UserError as error:
        if asked is not None:
            raise
        return found, one_line(error)
    rows = data.faces.indices(found.split)
    write_slices(
        slices, folder, found.data, found.synthetic, Selection(data.faces.images, rows) if images else None
    )
    return replace(found, slices=slices), None


def _write_gallery(
    found: Evaluation, paths: Sequence[Path], data: ChosenFaces, folder: Path, reason: str | None
) -> None:
    from fer_lightning.report.page import write_faces_page  # it loads Matplotlib and scipy

    what = str(paths[0]) if found.models == 1 else f"the average of {found.models} models"
    label = data_label(found.data, found.synthetic)
    faces = counted(int(found.metrics["faces"]), "validation face")
    lines = [f"{what}: {100 * found.metrics['acc']:.2f} % of {faces} of {label} are classified right."]
    if found.trained_on:
        lines.append("Trained on these faces.")
    write_faces_page(found.predictions, data, folder, lines, found.slices, reason)


def checkpoint_paths(checkpoint: Checkpoint | Sequence[Checkpoint]) -> list[Path]:
    """Return the files of one or several checkpoints.

    Raises
    ------
    ConfigError, DataError
        There is none, or a run has left none.
    """
    several = [checkpoint] if isinstance(checkpoint, (str, Path, Run)) else list(checkpoint)
    if not several:
        raise ConfigError("checkpoint=…: expected at least one checkpoint")
    return [_path(each) for each in several]


def _path(checkpoint: Checkpoint) -> Path:
    if not isinstance(checkpoint, Run):
        return typed_path(checkpoint)
    if checkpoint.checkpoint is None:
        gone = "" if checkpoint.folder is None else why_removed(checkpoint.folder)
        expected = "; expected the folder of a run that was trained"
        raise DataError(f"{checkpoint.folder}: no checkpoint{gone or expected}")
    return checkpoint.checkpoint
