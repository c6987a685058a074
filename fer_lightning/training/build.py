"""Build the parts of a run from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer

from fer_lightning.config.signatures import parted
from fer_lightning.data.augmentation import Augmentation
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.models.size import require_any_size
from fer_lightning.training.construct import build
from fer_lightning.training.contract import TrainedModule
from fer_lightning.training.depth import freeze, with_layer_decay
from fer_lightning.training.distillation import read_teachers
from fer_lightning.training.initial_weights import fingerprint_of, read_weights, take_weights
from fer_lightning.training.loss import TrainingLoss
from fer_lightning.training.module import ExpressionClassifier
from fer_lightning.training.network import build_model
from fer_lightning.training.own_metrics import own_metrics
from fer_lightning.training.own_module import build_own_module, own_target
from fer_lightning.training.schedules import needs_length

_DEVICES = ("accelerator", "devices", "num_nodes", "strategy", "precision")


def build_data(config: DictConfig) -> FaceDataModule:
    """Return the data module of ``config.data``."""
    data = build(config.data)
    assert isinstance(data, FaceDataModule)
    return data


def build_augmentation(config: DictConfig) -> nn.Module:
    """Return the augmentation of ``config.augmentation``: the project's, or any module."""
    found = build(config.augmentation)
    if not isinstance(found, nn.Module):
        target = config.augmentation["_target_"]
        raise ConfigError(f"augmentation: {target} makes {type(found).__name__}; expected an nn.Module")
    return found


def check_parts(config: DictConfig) -> None:
    """Build every part that needs no data, on no device, so that an impossible one is met before any work.

    Raises
    ------
    UserError
        What the part itself said of its values.
    """
    build_data(config)
    build(config.normalization)
    augmentation = build_augmentation(config)
    size = config.model.get("image_size") or config.data.image_size
    classes, channels = config.model.get("num_classes") or 7, config.data.get("channels", 1)
    model = build_model(
        config.model, image_size=size, num_classes=classes, in_channels=channels, values=False
    )
    check_sizes(augmentation, model, size)
    _, beside = parted(config.model, "model")
    if "weights" in beside:
        take_weights(model, read_weights(beside["weights"]), beside["weights"])
    if "freeze" in beside:
        freeze(model, beside["freeze"])
    with torch.device("meta"):
        optimizer = _made(
            "optimizer",
            config.optimizer,
            lambda node: build_optimizer(node, model)([nn.Parameter(torch.zeros(1))]),
        )
        if config.get("scheduler"):
            _made("scheduler", config.scheduler, lambda node: _long_schedule(build(node), optimizer))
    read_teachers(config.loss.teacher)
    for node in (config.get("callbacks") or {}).values():
        if node and node.get("_target_"):
            build(node)


def build_optimizer(node: DictConfig, model: nn.Module) -> Callable[..., Optimizer]:
    """Return what makes the optimizer of a configuration's ``optimizer`` from parameters of ``model``."""
    own, beside = parted(node, "optimizer")
    make: Callable[..., Optimizer] = build(OmegaConf.create(own))
    return with_layer_decay(make, model, beside["layer_decay"]) if beside else make


def check_trainer(config: DictConfig) -> None:
    """Build the trainer, so that a device or a number of processes that this machine has not is met before any work.

    Raises
    ------
    ConfigError
        What Lightning said, after the keys that decide it.
    """
    plain: Any = OmegaConf.to_container(config.trainer, resolve=True)
    error = _refusal(plain)
    if error is None:
        return
    given = {key: value for key, value in plain.items() if value is not None and key != "_target_"}
    devices = [key for key in _DEVICES if key in given]
    # The trainer takes the others without these. What is asked of devices stands together.
    without = [key for key in given if _refusal({name: plain[name] for name in plain if name != key}) is None]
    culprits = [key for key in without if key not in devices] or devices
    said = str(error).removeprefix(f"{plain.get('_target_')}: ")
    asked = " ".join(f"trainer.{key}={given[key]}" for key in culprits)
    raise ConfigError(f"{asked}: {' '.join(said.split())}") from error


def _refusal(trainer: dict[str, Any]) -> Exception | None:
    """Return what the trainer of this node says against its values, if anything."""
    try:
        build(OmegaConf.create(trainer), logger=False, enable_progress_bar=False)
    except (ConfigError, ImportError) as error:  # of what an accelerator needs
        return error
    return None


def _long_schedule(make: Callable[..., Any], optimizer: Optimizer) -> None:
    # Of a real training's length, which may be too short for it, the training itself says so.
    make(optimizer, **({"total_steps": 1_000_000} if needs_length(make) else {}))


def _made(group: str, node: DictConfig, make: Callable[[DictConfig], Any]) -> Any:
    """Return what is made of the node of a group; ConfigError names the key without which it could be made."""
    try:
        return make(node)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        where = group
        for key in [str(key) for key in node if not str(key).startswith("_")]:
            with suppress(Exception):
                make(OmegaConf.masked_copy(node, [str(name) for name in node if name != key]))
                where = f"{group}.{key}={node[key]}"
                break
        raise ConfigError(f"{where}: {error}") from error


def check_sizes(augmentation: nn.Module, model: nn.Module, size: int) -> None:
    """Check that ``model`` takes the images that ``augmentation`` makes of faces of ``size`` pixels.

    Raises
    ------
    ConfigError
        The net takes one size only, or the crop is larger than the face.
    """
    if not isinstance(augmentation, Augmentation):
        return  # the rehearsal tries somebody else's
    crop, growth = augmentation.crop, augmentation.growth
    if crop and crop > size:
        raise ConfigError(f"augmentation.crop={crop}: expected at most the faces' {size} pixels")
    if crop:
        require_any_size(model, f"augmentation.crop={crop}", size)
    if growth:
        require_any_size(model, f"augmentation.growth={[list(pair) for pair in growth]}", size)


def build_module(
    config: DictConfig, data: FaceDataModule, record: dict[str, Any], loss: TrainingLoss | None = None
) -> TrainedModule:
    """Return the module to train, the project's or somebody else's, its normalization fitted on the training faces.

    Parameters
    ----------
    config, data
        The composed configuration and its data.
    record
        Plain values stored in every checkpoint. The digest of the initial weights is added to it as ``weights``.
    loss
        Of :func:`~fer_lightning.training.build_loss.build_loss`; ``None`` is plain cross-entropy.
    """
    torch.manual_seed(config.seed)
    model = build_model(
        config.model,
        image_size=data.image_size,
        num_classes=data.num_classes,
        in_channels=data.channels,
    )
    _, beside = parted(config.model, "model")
    record["weights"], said = None, ""
    if "weights" in beside:
        weights = read_weights(beside["weights"])
        record["weights"] = fingerprint_of(weights)
        said = take_weights(model, weights, beside["weights"])
    if "freeze" in beside:
        freeze(model, beside["freeze"])
    if config.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    normalization = build(config.normalization)
    normalization.fit(data.training_images())
    parts = {
        "model": model,
        "normalization": normalization,
        "augmentation": build_augmentation(config),
        "optimizer": build_optimizer(config.optimizer, model),
        "scheduler": build(config.scheduler) if config.get("scheduler") else None,
        "class_names": data.faces.class_names,
        "loss": loss,
        "seed": config.seed,
        "record": record,
        "initial_weights": said,
        "metrics": own_metrics(config, data.faces.class_names),
    }
    return assemble(config, parts, image_size=data.image_size, in_channels=data.channels)


def assemble(
    config: DictConfig, parts: dict[str, Any], *, image_size: int, in_channels: int
) -> TrainedModule:
    """Return the module of its parts, by the names that `ExpressionClassifier` gives them."""
    if own_target(config) is None:
        return ExpressionClassifier(**parts)
    sizes = {"image_size": image_size, "in_channels": in_channels, "num_classes": len(parts["class_names"])}
    return build_own_module(config, {**parts, **sizes, "loss": parts.get("loss") or TrainingLoss()})
