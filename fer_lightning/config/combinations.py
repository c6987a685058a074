"""Values that are each right but not together, and metrics that nothing measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Final, get_args

from hydra.utils import get_object

from fer_lightning.config.metric_table import find_metric, measured_names
from fer_lightning.config.objective import known_direction
from fer_lightning.config.values import Direction
from fer_lightning.errors import ConfigError, nearest

_OF_CALLBACKS: Final = ("seconds/", "dead_units/")
_OF_RUNS: Final = ("parameters", "seconds", "seconds/train_total")
_LIMITED: Final = (*_OF_RUNS, "multiply_adds", "epochs")


def check_combinations(config: Mapping[str, Any]) -> None:
    """Refuse values that are each right but not together.

    Raises
    ------
    ConfigError
        Naming the keys.
    """
    callbacks = config.get("callbacks") or {}
    if config["data"].get("train_on") == "train_val" and callbacks.get("early_stopping"):
        raise ConfigError(
            "callbacks.early_stopping with data.train_on=train_val: expected validation faces that are not trained on"
        )
    _check_metrics(config.get("metrics") or {})
    if config.get("module") and not config["module"].get("_target_"):
        raise ConfigError("module: names no class; expected module._target_=my_module.MyModule")
    augmentation = _own_augmentation(config)
    for key in ("saturation", "hue"):
        if augmentation.get(key) and config["data"].get("channels", 1) == 1:
            raise ConfigError(
                f"augmentation.{key}={augmentation[key]} with data.channels=1: grey images have no colour; expected "
                f"data.channels=3, or augmentation.{key}=0"
            )
    _check_length(config)
    for prefix, metric, mode in monitored(config):
        check_direction(prefix, metric, mode, known_direction(metric))
    check_measured(config)
    seeds = config.get("seeds", [])
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds={seeds}: expected each seed once")


def _own_augmentation(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys of the project's augmentation; none of somebody else's, whose keys mean what they like."""
    node: Mapping[str, Any] = config.get("augmentation") or {}
    return node if str(node.get("_target_", "")).startswith("fer_lightning.") else {}


def _check_metrics(nodes: Mapping[str, Any]) -> None:
    for name, node in nodes.items():
        if not isinstance(node, Mapping) or not node.get("_target_"):
            raise ConfigError(f"metrics.{name}: expected metrics.{name}._target_=… (a function or class)")
        if find_metric(name) is not None or not str(name).isidentifier():
            raise ConfigError(
                f"metrics.{name}: expected a name of letters and digits that none of the project's metrics has"
            )


def _check_length(config: Mapping[str, Any]) -> None:
    """Refuse a training without an end, or one of unknown length where its length is needed."""
    trainer, scheduler = config["trainer"], config.get("scheduler") or {}
    epochs, steps, time = (trainer.get(name) for name in ("max_epochs", "max_steps", "max_time"))
    if trainer.get("val_check_interval") not in (None, 1.0):
        raise ConfigError(
            f"trainer.val_check_interval={trainer['val_check_interval']}: expected 1.0, one validation an epoch; "
            "data.steps_per_epoch=… makes epochs shorter"
        )
    if epochs is None and steps in (None, -1) and time is None:
        raise ConfigError(
            "trainer.max_epochs=null: expected a number of epochs, or trainer.max_time=… beside it"
        )
    if epochs not in (None, -1):
        return
    shown = "null" if epochs is None else epochs
    if _own_augmentation(config).get("growth"):
        raise ConfigError(f"augmentation.growth with trainer.max_epochs={shown}: expected a number of epochs")
    name = None if "total_steps" in scheduler else scheduler.get("_target_")
    if name and steps in (None, -1) and "total_steps" in signature(get_object(name)).parameters:
        raise ConfigError(
            f"scheduler {name} with trainer.max_epochs={shown}: it needs the length of the training; expected "
            "scheduler=constant, or a number of epochs"
        )


def monitored(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield each metric that decides something: the prefix of its keys, its name and its direction."""
    yield "", config["metric"], config["mode"]
    for name, node in (config.get("callbacks") or {}).items():
        if isinstance(node, Mapping) and isinstance(node.get("monitor"), str):
            yield f"callbacks.{name}.", node["monitor"], node.get("mode")


def check_direction(prefix: str, metric: str, mode: str | None, higher: bool | None) -> None:
    """Refuse a direction that is not the metric's, where that is known; its keys begin with ``prefix``."""
    if mode in get_args(Direction) and higher is not None and higher != (mode == "max"):
        raise ConfigError(
            f"{prefix}mode={mode} with {'monitor' if prefix else 'metric'}={metric}: {'higher' if higher else 'lower'} "
            f"is better; expected {prefix}mode={'max' if higher else 'min'}"
        )


def check_measured(config: Mapping[str, Any], class_names: Sequence[str] | None = None) -> None:
    """Check that whatever decides something is measured in a run; before the data are known, but for its class.

    Raises
    ------
    ConfigError
        Naming the key, the metric and the nearest that is measured.
    """
    for prefix, metric, _ in monitored(config):
        _require_measured(f"{prefix}{'monitor' if prefix else 'metric'}", metric, config, class_names)
    trainer, metric = config["trainer"], config["metric"]
    if config["data"].get("train_on") == "train" and metric.startswith("val/"):
        every, epochs = trainer.get("check_val_every_n_epoch") or 1, trainer.get("max_epochs")
        if trainer.get("limit_val_batches") == 0:
            raise ConfigError(
                f"trainer.limit_val_batches=0 with metric={metric}: expected some, or metric=train/loss"
            )
        if epochs not in (None, -1) and every > epochs:
            raise ConfigError(
                f"trainer.check_val_every_n_epoch={every}: expected at most trainer.max_epochs={epochs}, or "
                f"{metric} is never measured"
            )


def check_constrained(config: Mapping[str, Any], names: Iterable[str], class_names: Sequence[str]) -> None:
    """Check that every run of a study comes to the numbers that its constraints limit.

    Raises
    ------
    ConfigError
        Naming the number and the nearest that there is.
    """
    for name in names:
        if name not in _LIMITED:
            _require_measured("hydra.sweeper.constraints", name, config, class_names, _LIMITED)


def check_objectives(
    config: Mapping[str, Any], objectives: Sequence[str], class_names: Sequence[str]
) -> None:
    """Check that every run of a study measures what the study compares.

    Raises
    ------
    ConfigError
        Naming the objective and the nearest that is measured.
    """
    for name in objectives:
        if name not in _OF_RUNS:
            _require_measured("hydra.sweeper.objective", name, config, class_names)
        if name.startswith("val/") and config["data"].get("train_on") == "train_val":
            raise ConfigError(
                f"metric={name} with data.train_on=train_val: nothing is validated; expected data.train_on=train, or "
                "metric=train/loss mode=min"
            )


def _require_measured(
    key: str,
    metric: str,
    config: Mapping[str, Any],
    class_names: Sequence[str] | None,
    others: Sequence[str] = (),
) -> None:
    own = [f"val/{name}" for name in config.get("metrics") or {}]
    known = [*measured_names(class_names or ()), *own, *others]
    if metric.startswith(tuple(f"{name}/" for name in own)):  # of a class
        return
    of_class = metric.startswith("val/") and metric.count("/") > 1 and find_metric(metric) is not None
    if (config.get("module") or {}).get("_target_") and metric.startswith(("train/", "val/")):
        return  # it logs what it likes
    if metric in known or (of_class and class_names is None) or metric.startswith(_OF_CALLBACKS):
        return
    callbacks = (config.get("callbacks") or {}).values()
    targets = [str(node.get("_target_", "fer_lightning.")) for node in callbacks if isinstance(node, Mapping)]
    if all(name.startswith(("fer_lightning.", "pytorch_lightning.")) for name in targets):  # no own ones may
        raise ConfigError(f"{key}={metric}: no run measures it; {nearest(metric, known)}")
