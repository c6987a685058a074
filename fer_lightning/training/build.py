"""Build the parts of a run from its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from fer_lightning.config.instantiation import instantiate
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError, UserError
from fer_lightning.models.size import require_any_size
from fer_lightning.training.construct import construct, plain_node
from fer_lightning.training.distillation import read_teachers
from fer_lightning.training.loss import TrainingLoss
from fer_lightning.training.module import ExpressionClassifier
from fer_lightning.training.schedules import needs_length

_DEVICES = ("accelerator", "devices", "num_nodes", "strategy", "precision")


def build(node: Any, **more: Any) -> Any:
    """Instantiate a configuration node; a user's mistake stays one line.

    Raises
    ------
    UserError
        What the target itself said of its values.
    """
    from hydra.errors import InstantiationException

    try:
        plain = plain_node(node)
        if plain is not None:
            return construct(plain, **more)
        if not more:
            return instantiate(node, _convert_="all")
        # Objects given here must reach the target as they are; instantiate would turn them into configuration.
        made = instantiate(node, _convert_="all", _partial_=True)
        return partial(made, **more) if node.get("_partial_") else made(**more)
    except UserError:
        raise
    except Exception as error:  # Hydra 1.4 leaves the errors of a target as they are
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UserError):
                raise cause from None
            cause = cause.__cause__
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, (ValueError, TypeError)) or "Misconfiguration" in type(cause).__name__:
            where = node.get("_target_", "") if isinstance(node, Mapping) else ""
            raise ConfigError(f"{where}: {' '.join(str(cause).split('full_key')[0].split())}") from error
        raise


def build_data(config: DictConfig) -> FaceDataModule:
    """Return the data module of ``config.data``."""
    data = build(config.data)
    assert isinstance(data, FaceDataModule)
    return data


def build_model(
    config: DictConfig | Mapping[str, Any], *, image_size: int, num_classes: int, in_channels: int = 1
) -> nn.Module:
    """Return the net of a model node for faces of this size and these channels, and this many classes.

    Raises
    ------
    ConfigError
        The node fixes another size, or another number of classes or channels, than the data have.
    """
    offered = {"image_size": image_size, "num_classes": num_classes, "in_channels": in_channels}
    for key, value in offered.items():
        asked = config.get(key)
        if asked is not None and asked != value:
            raise ConfigError(f"model.{key}={asked}: the data have {value}")
    if in_channels == 1:  # what every net takes
        del offered["in_channels"]
    model = build(config, **offered)
    assert isinstance(model, nn.Module)
    return model


def check_parts(config: DictConfig) -> None:
    """Build every part that needs no data, on no device, so that an impossible one is met before any work.

    Raises
    ------
    UserError
        What the part itself said of its values.
    """
    build_data(config)
    build(config.normalization)
    augmentation = build(config.augmentation)
    size = config.model.get("image_size") or config.data.image_size
    with torch.device("meta"):
        classes = config.model.get("num_classes") or 7
        model = build_model(
            config.model, image_size=size, num_classes=classes, in_channels=config.data.get("channels", 1)
        )
        check_sizes(augmentation, model, size)
        try:
            optimizer = build(config.optimizer)([nn.Parameter(torch.zeros(1))])
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"optimizer: {error}") from error
        if config.get("scheduler"):
            _try_schedule(build(config.scheduler), optimizer)
    read_teachers(config.loss.teacher)
    for node in (config.get("callbacks") or {}).values():
        if node and node.get("_target_"):
            build(node)


def check_trainer(config: DictConfig) -> None:
    """Build the trainer, so that a device or a number of processes that this machine has not is met before any work.

    Raises
    ------
    ConfigError
        What Lightning said, after the keys that decide it.
    """
    try:
        build(config.trainer, logger=False, enable_progress_bar=False)
    except (ConfigError, ImportError) as error:  # of what an accelerator needs
        said = str(error).removeprefix(f"{config.trainer.get('_target_')}: ")
        asked = [
            f"trainer.{key}={config.trainer[key]}" for key in _DEVICES if config.trainer.get(key) is not None
        ]
        raise ConfigError(f"{' '.join(asked)}: {' '.join(said.split())}") from error


def _try_schedule(make: Callable[..., Any], optimizer: Optimizer) -> None:
    try:
        # Of a real training's length, which may be too short for it, the training itself says so.
        make(optimizer, **({"total_steps": 1_000_000} if needs_length(make) else {}))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ConfigError(f"scheduler: {error}") from error


def check_sizes(augmentation: nn.Module, model: nn.Module, size: int) -> None:
    """Check that ``model`` takes the images that ``augmentation`` makes of faces of ``size`` pixels.

    Raises
    ------
    ConfigError
        The net takes one size only, or the crop is larger than the face.
    """
    crop, growth = getattr(augmentation, "crop", None), getattr(augmentation, "growth", None)
    if crop and crop > size:
        raise ConfigError(f"augmentation.crop={crop}: expected at most the faces' {size} pixels")
    if crop:
        require_any_size(model, f"augmentation.crop={crop}", size)
    if growth:
        require_any_size(model, f"augmentation.growth={[list(pair) for pair in growth]}", size)


def build_module(
    config: DictConfig, data: FaceDataModule, record: dict[str, Any], loss: TrainingLoss | None = None
) -> ExpressionClassifier:
    """Return the module to train, its normalization fitted on the training faces.

    Parameters
    ----------
    config, data
        The composed configuration and its data.
    record
        Plain values stored in every checkpoint.
    loss
        Of :func:`~fer_lightning.training.loss.build_loss`; ``None`` is plain cross-entropy.
    """
    torch.manual_seed(config.seed)
    model = build_model(
        config.model, image_size=data.image_size, num_classes=data.num_classes, in_channels=data.channels
    )
    if config.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    normalization = build(config.normalization)
    normalization.fit(data.training_images())
    return ExpressionClassifier(
        model,
        normalization,
        build(config.augmentation),
        optimizer=build(config.optimizer),
        scheduler=build(config.scheduler) if config.get("scheduler") else None,
        class_names=data.faces.class_names,
        loss=loss,
        seed=config.seed,
        record=record,
    )
