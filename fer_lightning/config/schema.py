"""The schema of ``conf/``: every key known, of its type, and possible together, before any work begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import Field

from fer_lightning.config.combinations import check_combinations
from fer_lightning.config.own_schema import own_hints
from fer_lightning.config.precision import Precision
from fer_lightning.config.signatures import BESIDE, LossConfig, find_target, keys_beside, parameters_of
from fer_lightning.config.values import (
    ChangedCode,
    Count,
    CountOrZero,
    Direction,
    NotNegative,
    Processors,
    Seed,
    Seeds,
    Share,
    ShareAboveZero,
    Slices,
    check_keys,
    hints_of,
)
from fer_lightning.errors import ConfigError


class StudyConfig(TypedDict):
    """How a study is worked on."""

    workers: Processors
    page: bool
    gallery: bool
    slices: Slices
    wandb_faces: bool


class RunConfig(TypedDict):
    """The top level of ``conf/config.yaml``; a node with ``_target_`` is checked against its target's signature."""

    data: dict[str, Any]
    normalization: dict[str, Any]
    augmentation: dict[str, Any]
    model: dict[str, Any]
    optimizer: dict[str, Any]
    trainer: dict[str, Any]
    scheduler: dict[str, Any] | None
    callbacks: dict[str, Any] | None
    logger: dict[str, Any] | None
    ablation: dict[str, Any] | None
    search_space: dict[str, Any] | None
    study: StudyConfig
    seed: Seed
    seeds: Seeds
    note: str
    metric: str
    mode: Direction
    loss: LossConfig
    metrics: dict[str, Any] | None
    module: dict[str, Any] | None
    channels_last: bool
    threads: Processors | None
    resume: bool | str
    changed_code: ChangedCode
    schema: str | None


Time = Annotated[
    str,
    Field(pattern=r"^\d+:\d\d:\d\d:\d\d$", description="days:hours:minutes:seconds, such as 00:01:30:00"),
]
_EPOCHS = Count | Literal[-1] | None
_DEVICES = Annotated[
    list[int] | str | Processors | Literal[-1],
    Field(description="a number of devices up to 1024, a list of their numbers, or auto"),
]
# What the signatures of other people's classes leave open, by where they stand in the configuration.
_NARROWER = {
    "trainer.precision": Precision | None,
    "trainer.devices": _DEVICES,
    "trainer.max_epochs": _EPOCHS,
    "trainer.max_steps": _EPOCHS,
    "trainer.accumulate_grad_batches": Count,
    "trainer.check_val_every_n_epoch": Count | None,
    "trainer.gradient_clip_val": NotNegative | None,
    "trainer.max_time": Time | dict[str, float] | None,
    "trainer.limit_train_batches": Count | ShareAboveZero | None,
    "trainer.limit_val_batches": CountOrZero | Share | None,
    "trainer.overfit_batches": CountOrZero | Share,
}


def check_config(config: DictConfig) -> dict[str, Any]:
    """Check a composed configuration without building anything; return its resolved values.

    Raises
    ------
    ConfigError
        A key is unknown, a value has the wrong type, or values do not go together; the message names the key.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise ConfigError(f"{error.full_key}: has no value; expected {error.full_key}=…") from error
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).replace("\n", "; ")) from error
    values: dict[str, Any] = {str(key): node for key, node in dict(plain).items() if key != "hydra"}  # type: ignore[arg-type]
    for group in sorted({"experiment", "debug"} & values.keys()):
        raise ConfigError(
            f"{group}: its file lacks the first line # @package _global_, without which all of its keys stand below "
            f"{group}"
        )
    hints = hints_of(RunConfig)
    hints = hints | own_hints(values, hints)
    if isinstance(values.get("loss"), dict) and values["loss"].get("_target_"):
        hints = hints | {"loss": dict[str, Any]}  # checked against its target's signature
    check_keys(values, hints)
    for key, node in values.items():
        _check_targets(node, key)
    check_combinations(values)
    return values


def _check_targets(node: Any, path: str) -> None:
    """Check every mapping with a ``_target_`` at or below ``node`` against its target's signature."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            _check_targets(item, f"{path}[{number}]")
    if not isinstance(node, dict):
        return
    if node.get("_target_"):
        _check_signature(node, path)
    for key, item in node.items():
        _check_targets(item, f"{path}.{key}")


def _check_signature(node: Mapping[str, Any], path: str) -> None:
    target = find_target(node["_target_"], f"{path}._target_")
    parameters, beside = parameters_of(target), keys_beside(path, target)
    given = {key: value for key, value in node.items() if not str(key).startswith("_")}
    check_keys({key: value for key, value in given.items() if key in beside}, beside, f"{path}.")
    if parameters is None:
        return
    # Null is as if the key were not there.
    given = {
        key: value for key, value in given.items() if key not in BESIDE.get(path, {}) or value is not None
    }
    if path == "augmentation" and "rotation" in given and "rotation" not in parameters:
        raise ConfigError(
            f"augmentation._target_={node['_target_']}: with the keys of the project's own augmentation; expected "
            "augmentation=custom beside it"
        )
    parameters = parameters | beside
    narrower = {key: _NARROWER.get(f"{path}.{key}", kind) for key, kind in parameters.items()}
    # A nested node with its own target is an object by the time it is passed.
    built = {
        key: Any
        for key, value in given.items()
        if isinstance(value, dict) and "_target_" in value and key in narrower
    }
    check_keys(given, narrower | built, f"{path}.")
