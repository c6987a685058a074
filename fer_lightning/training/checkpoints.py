"""Read a trained classifier back from its checkpoint."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from fer_lightning.config.renamed import current_config
from fer_lightning.errors import DataError
from fer_lightning.training.build import build, build_model
from fer_lightning.training.module import CHECKPOINT_KEY, ExpressionClassifier

_OWN = "expected one that a run has written, such as runs/…/checkpoints/best.ckpt"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's contents on the CPU; only tensors and plain values are ever unpickled.

    The configuration of an earlier version is returned by its present names.

    Raises
    ------
    DataError
        The file is missing, damaged, or no checkpoint of this project.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint")
    # PyTorch maps a file by its name alone, and takes no name with bytes that are no UTF-8.
    named = str(path) == str(path).encode(errors="replace").decode()
    try:
        with path.open("rb") as stream:
            source = path if named else stream
            checkpoint = torch.load(source, map_location="cpu", weights_only=True, mmap=named)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: not a readable checkpoint, or one with other programs' objects, which are never loaded; {_OWN}"
        ) from error
    except (RuntimeError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise DataError(f"{path}: not a readable checkpoint ({str(error).splitlines()[0]})") from error
    if not isinstance(checkpoint, dict) or CHECKPOINT_KEY not in checkpoint:
        raise DataError(f"{path}: a checkpoint, but not of fer_lightning; {_OWN}")
    record = checkpoint[CHECKPOINT_KEY]
    if "config" in record:
        checkpoint[CHECKPOINT_KEY] = {**record, "config": current_config(record["config"])}
    return checkpoint


def load_classifier(path: str | Path) -> ExpressionClassifier:
    """Build the classifier of a checkpoint, ready to predict; its ``record`` says how it was trained.

    Raises
    ------
    DataError
        The file is missing, damaged, or does not fit what it says of itself.
    """
    checkpoint = read_checkpoint(path)
    record = checkpoint[CHECKPOINT_KEY]
    config = OmegaConf.create(record["config"])
    model = build_model(config.model, image_size=record["image_size"], num_classes=len(record["class_names"]))
    module = ExpressionClassifier(
        model,
        build(config.normalization),
        torch.nn.Identity(),
        class_names=record["class_names"],
        record=record,
    )
    weights = {key: value for key, value in checkpoint["state_dict"].items() if not key.startswith("loss.")}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            f"{path}: its weights do not fit its own model ({str(error).splitlines()[0]})"
        ) from error
    return module.eval()
