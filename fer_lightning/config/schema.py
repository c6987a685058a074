"""The schema of ``conf/``: every key known, of its type, and possible together, before any work begins."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, get_args, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError

from fer_lightning.config.objective import known_direction
from fer_lightning.config.precision import check_precision
from fer_lightning.errors import ConfigError, nearest

CHANGED_CODE = ("refuse", "accept")


@dataclass
class LossConfig:
    """The loss: cross-entropy, smoothed, mixed, weighted and taught as asked."""

    label_smoothing: float = 0.0
    mixup: float = 0.0
    class_weights: str | list[float] = "none"
    teacher: str | list[str] | None = None
    teacher_share: float = 0.5


@dataclass
class StudyConfig:
    """How a study is worked on."""

    workers: int = 1
    page: bool = True


@dataclass
class RunConfig:
    """The top level of ``conf/config.yaml``; a node with ``_target_`` is checked against its target's signature."""

    data: dict[str, Any]
    normalization: dict[str, Any]
    augmentation: dict[str, Any]
    model: dict[str, Any]
    optimizer: dict[str, Any]
    trainer: dict[str, Any]
    scheduler: dict[str, Any] | None = None
    callbacks: dict[str, Any] | None = None
    logger: dict[str, Any] | None = None
    ablation: dict[str, Any] | None = None
    search_space: dict[str, Any] | None = None
    study: StudyConfig = field(default_factory=StudyConfig)
    seed: int = 0
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    note: str = ""
    metric: str = "val/acc"
    mode: str = "max"
    loss: LossConfig = field(default_factory=LossConfig)
    channels_last: bool = True
    threads: int | None = None
    resume: bool | str = False
    changed_code: str = "refuse"


def check_config(config: DictConfig) -> None:
    """Check a composed configuration without building anything.

    Raises
    ------
    ConfigError
        A key is unknown, a value has the wrong type, or values do not go together; the message names the key.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).replace("\n", "; ")) from error
    values: dict[str, Any] = {str(key): node for key, node in dict(plain).items() if key != "hydra"}  # type: ignore[arg-type]
    _check_mapping(values, RunConfig, "")
    for key, node in values.items():
        _check_targets(node, key)
    _check_combinations(values)


def _check_mapping(values: Mapping[Any, Any], schema: type, path: str) -> None:
    """Check ``values`` against the dataclass ``schema``."""
    hints = get_type_hints(schema)
    for key, value in values.items():
        where = f"{path}{key}"
        if key not in hints:
            known = [f"{path}{item.name}" for item in fields(schema)]
            raise ConfigError(f"{where}: no such key; {nearest(where, known)}")
        if hasattr(hints[key], "__dataclass_fields__") and isinstance(value, Mapping):
            _check_mapping(value, hints[key], f"{where}.")
        else:
            _check_type(value, hints[key], where)


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
    name = node["_target_"]
    try:
        target = get_object(name)
    except Exception as error:
        raise ConfigError(f"{path}._target_={name}: cannot be imported ({error})") from error
    known_keys = _parameters(target)
    if known_keys is None:
        return
    parameters, hints = known_keys
    for key, value in node.items():
        if str(key).startswith("_"):
            continue
        if key not in parameters:
            known = [f"{path}.{item}" for item in parameters]
            raise ConfigError(f"{path}.{key}: no such key; {nearest(f'{path}.{key}', known)}")
        # A nested node with its own target is an object by the time it is passed.
        if key in hints and not (isinstance(value, dict) and "_target_" in value):
            _check_type(value, hints[key], f"{path}.{key}")


@cache  # a study asks the same of every trial
def _parameters(target: Any) -> tuple[frozenset[str], dict[str, Any]] | None:
    """Return the names of a target's parameters, and their annotations; ``None`` for one that takes any name."""
    signature = inspect.signature(target).parameters
    parameters = set(signature) - {"self", "args"}
    hints = _type_hints(target)
    rest = [item for item in signature.values() if item.kind is item.VAR_KEYWORD]
    if rest:
        # **options: Unpack[Options] names its keys in a TypedDict; any other **options takes whatever comes.
        named = get_args(hints.get(rest[0].name))
        if not named:
            return None
        parameters = parameters - {rest[0].name} | set(get_type_hints(named[0]))
        hints = hints | get_type_hints(named[0])
    return frozenset(parameters), hints


def _type_hints(target: Any) -> dict[str, Any]:
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):  # annotations that are not importable outside of type checking
        return {}


@cache  # a study checks the same annotations for every trial
def _adapter(expected: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(expected, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        try:
            return TypeAdapter(expected)  # a dataclass brings its own configuration
        except (PydanticUserError, PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeError):
            return None
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeError, NameError):
        return None


def _check_type(value: Any, expected: Any, path: str) -> None:
    """Check one value against an annotation; annotations that pydantic cannot judge are left to the target."""
    try:
        adapter = _adapter(expected)
    except TypeError:  # an annotation without a hash, such as Annotated[int, {}]
        adapter = _adapter.__wrapped__(expected)
    if adapter is None:
        return
    try:
        # YAML has lists where Python has tuples: only there a conversion is right.
        adapter.validate_python(value, strict=not isinstance(value, list))
    except ValidationError as error:
        reasons = dict.fromkeys(item["msg"][0].lower() + item["msg"][1:] for item in error.errors())
        raise ConfigError(f"{path}={value}: {'; or '.join(reasons)}") from error


def _check_combinations(config: Mapping[str, Any]) -> None:
    """Refuse values that are each right but not together."""
    callbacks = config.get("callbacks") or {}
    if config["data"].get("train_on") == "train_val" and callbacks.get("early_stopping"):
        raise ConfigError(
            "callbacks.early_stopping with data.train_on=train_val: expected validation faces that are not trained on"
        )
    if config["mode"] not in ("max", "min"):
        raise ConfigError(f"mode={config['mode']}: expected max or min")
    if config.get("changed_code", "refuse") not in CHANGED_CODE:
        raise ConfigError(f"changed_code={config['changed_code']}: expected {' or '.join(CHANGED_CODE)}")
    metric = config["metric"]
    higher = known_direction(metric)
    if higher is not None and higher != (config["mode"] == "max"):
        raise ConfigError(
            f"mode={config['mode']} with metric={metric}: {'higher' if higher else 'lower'} is better; expected "
            f"mode={'max' if higher else 'min'}"
        )
    seeds = config.get("seeds", [])
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds={seeds}: expected at least one seed, each once")
    smoothing = config["loss"]["label_smoothing"]
    if not 0 <= smoothing < 1:
        raise ConfigError(f"loss.label_smoothing={smoothing}: expected a share of at least 0 and below 1")
    if not config["loss"]["mixup"] >= 0:
        raise ConfigError(f"loss.mixup={config['loss']['mixup']}: expected a number of at least 0")
    weights = config["loss"]["class_weights"]
    if isinstance(weights, str) and weights not in ("none", "balanced"):
        raise ConfigError(f"loss.class_weights={weights}: expected none, balanced, or one weight a class")
    share = config["loss"]["teacher_share"]
    if not 0 <= share <= 1:
        raise ConfigError(f"loss.teacher_share={share}: expected a share from 0 to 1")
    if config.get("threads") is not None and config["threads"] < 1:
        raise ConfigError(f"threads={config['threads']}: expected at least 1")
    if config["trainer"].get("precision") is not None:
        check_precision(config["trainer"]["precision"])
    for key in ("max_epochs", "max_steps"):
        value = config["trainer"].get(key)
        if value is not None and value != -1 and value < 1:
            raise ConfigError(f"trainer.{key}={value}: expected at least 1")
