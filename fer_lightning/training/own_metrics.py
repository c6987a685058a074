"""Metrics of somebody else, measured on a split beside those of the table: any function or module, or torchmetrics'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
import torchmetrics
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from fer_lightning.config.combinations import check_direction, monitored
from fer_lightning.errors import ConfigError
from fer_lightning.messages import one_line
from fer_lightning.training.own_part import build_callable


class OwnMetrics:
    """Functions of logits ``[N, C]`` and labels ``[N]`` of a whole split, by their names.

    Parameters
    ----------
    functions
        Each returns one value, or one for each class.

    Examples
    --------
    >>> wrong = OwnMetrics({"wrong": lambda logits, labels: (logits.argmax(1) != labels).float().mean()})
    >>> wrong(torch.eye(4), torch.tensor([0, 1, 2, 2]), "abcd")
    {'wrong': 0.25}
    """

    def __init__(self, functions: Mapping[str, Callable[[Tensor, Tensor], Any]] | None = None) -> None:
        self.functions = dict(functions or {})

    def __call__(self, logits: Tensor, labels: Tensor, class_names: Sequence[str]) -> dict[str, float]:
        """Return the values, those of a class as ``<name>/<class>``; computed on the CPU.

        Raises
        ------
        ConfigError
            A metric fails, or returns something else.
        """
        found: dict[str, float] = {}
        for name, function in self.functions.items():
            try:
                with torch.no_grad():
                    values = torch.as_tensor(function(logits.float().cpu(), labels.cpu())).float()
            except Exception as error:  # whatever other people's code says of it
                raise ConfigError(f"metrics.{name}: fails: {one_line(error)}") from error
            finally:
                if isinstance(function, torchmetrics.Metric):
                    function.reset()
            if values.ndim == 0:
                found[name] = float(values)
            elif values.shape == (len(class_names),):
                found |= {f"{name}/{each}": float(v) for each, v in zip(class_names, values, strict=True)}
            else:
                raise ConfigError(
                    f"metrics.{name}: returns {list(values.shape)}; expected one value, or one for each of the "
                    f"{len(class_names)} classes"
                )
        return found


def own_metrics(config: Mapping[str, Any] | DictConfig, class_names: Sequence[str]) -> OwnMetrics:
    """Build the metrics of a configuration and try them on made-up logits.

    Raises
    ------
    ConfigError
        One cannot be built, does not take logits and labels, or decides in another direction than it has.
    """
    if not config.get("metrics"):
        return OwnMetrics()
    if isinstance(config, DictConfig):
        config = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
    classes = len(class_names)
    functions = {
        name: build_callable(node, f"metrics.{name}", {"num_classes": classes})
        for name, node in config["metrics"].items()
    }
    for prefix, metric, mode in monitored(config):
        higher = getattr(functions.get(metric.removeprefix("val/")), "higher_is_better", None)
        check_direction(prefix, metric, mode, higher)
    found = OwnMetrics(functions)
    found(torch.eye(classes).repeat(2, 1), torch.arange(2 * classes) % classes, class_names)
    return found
