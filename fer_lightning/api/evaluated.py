"""`evaluate`: a checkpoint, or several averaged, measured on a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch

from fer_lightning.api.settings import data_keys
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Count, Processors, checked
from fer_lightning.data.faces import Split
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation import evaluate as measuring
from fer_lightning.evaluation.evaluation import Evaluation, write_evaluation
from fer_lightning.runs.run import Run

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
    paths = checkpoint_paths(checkpoint)
    if threads:
        torch.set_num_threads(threads)
    found = measuring.evaluate(paths, split, data_keys(data), flip=flip, crop=crop)
    if output is not None:
        write_evaluation(found, paths, {"flip": flip, "crop": crop}, typed_path(output))
    return found


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
        raise DataError(f"{checkpoint.folder}: no checkpoint; expected the folder of a run that was trained")
    return checkpoint.checkpoint
