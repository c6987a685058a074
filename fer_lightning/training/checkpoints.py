"""Read a trained classifier back from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from fer_lightning.config.renamed import current_config
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.removed_checkpoints import why_removed
from fer_lightning.training.build import assemble
from fer_lightning.training.construct import build
from fer_lightning.training.contract import TrainedModule
from fer_lightning.training.initial_weights import load_plain
from fer_lightning.training.module import CHECKPOINT_KEY, ExpressionClassifier, network_weights
from fer_lightning.training.network import build_model

_RECORD = {"config": Mapping, "class_names": Sequence, "image_size": int}
_CONFIG = {"model": Mapping, "normalization": Mapping}
_OWN = "expected one that a run has written, such as runs/…/checkpoints/best.ckpt"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's contents on the CPU; only tensors and plain values are ever unpickled.

    The configuration of an earlier version is returned by its present names.

    Raises
    ------
    DataError
        The file is missing, damaged, no checkpoint of this project, or lacks what builds its net.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint{why_removed(path)}")
    checkpoint = load_plain(path, _OWN)
    if not isinstance(checkpoint, dict) or CHECKPOINT_KEY not in checkpoint:
        raise DataError(f"{path}: a checkpoint, but not of fer_lightning; {_OWN}")
    record = checkpoint[CHECKPOINT_KEY]
    require(path, checkpoint, {"state_dict": Mapping})
    require(path, record, _RECORD, "record")
    config = current_config(record["config"])
    require(path, config, _CONFIG, "configuration")
    checkpoint[CHECKPOINT_KEY] = {**record, "config": config}
    return checkpoint


def require(path: Path, values: Any, kinds: Mapping[str, type], what: str = "") -> None:
    """Raise DataError unless a checkpoint, or its ``what``, has values of these kinds."""
    if not isinstance(values, Mapping):
        raise DataError(
            f"{path}: its {what} is {type(values).__name__}; expected a dict with {', '.join(kinds)}"
        )
    lacking = [name for name, kind in kinds.items() if not isinstance(values.get(name), kind)]
    if lacking:
        raise DataError(
            f"{path}: {f'its {what}' if what else 'it'} has no valid {', '.join(lacking)}; {_OWN}"
        )


def load_classifier(path: str | Path) -> TrainedModule:
    """Build the classifier of a checkpoint, ready to predict; its ``record`` says how it was trained.

    Raises
    ------
    DataError
        The file is missing, damaged, or does not fit what it says of itself.
    """
    checkpoint = read_checkpoint(path)
    record = checkpoint[CHECKPOINT_KEY]
    config = OmegaConf.create(record["config"])
    if "pretrained" in config.model:
        config.model.pretrained = False  # the checkpoint has all weights
    try:
        model = build_model(
            config.model,
            image_size=record["image_size"],
            num_classes=len(record["class_names"]),
            in_channels=record.get("channels", 1),
        )
    except ConfigError as error:
        raise DataError(f"{path}: its net cannot be built: {error}") from error
    parts = {
        "model": model,
        "normalization": build(config.normalization),
        "augmentation": torch.nn.Identity(),
        "optimizer": None,
        "scheduler": None,
        "class_names": record["class_names"],
        "seed": config.get("seed", 0),
        "record": record,
    }
    try:
        module = assemble(
            config, parts, image_size=record["image_size"], in_channels=record.get("channels", 1)
        )
    except ConfigError as error:
        raise DataError(f"{path}: its module cannot be built: {error}") from error
    state = checkpoint["state_dict"]
    try:
        if isinstance(module, ExpressionClassifier):
            module.load_state_dict(network_weights(state))
        elif missing := module.load_state_dict(state, strict=False).missing_keys:
            raise RuntimeError(f"there is no {missing[0]}")  # what only training needs may be left over
    except RuntimeError as error:
        raise DataError(
            f"{path}: its weights do not fit its own model ({str(error).splitlines()[0]})"
        ) from error
    return module.eval()
