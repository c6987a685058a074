"""The net of a configuration: a packaged one, or any class or function that returns a module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.nn.parameter import UninitializedParameter

from fer_lightning.config.signatures import default_of, find_target, given_to, parted
from fer_lightning.errors import ConfigError
from fer_lightning.models.base import FaceNet
from fer_lightning.models.counting import count_parameters
from fer_lightning.models.match import matched_widths
from fer_lightning.models.reference import named_model
from fer_lightning.training.construct import build

_SCALED = ("widths", "width")


def build_model(
    config: DictConfig | Mapping[str, Any],
    *,
    image_size: int,
    num_classes: int,
    in_channels: int = 1,
    values: bool = True,
) -> nn.Module:
    """Return the net of a model node for pictures of this size and these channels, and this many classes.

    Of the three its target gets those that its signature names, and those that the node has a key for: a function with
    ``**options`` gets ``num_classes`` where the node has ``num_classes: null``.

    Parameters
    ----------
    values
        False builds a packaged net on the meta device, to be looked at without cost. Other people's are built as they
        are, for many compute something as they are built.

    Raises
    ------
    ConfigError
        The node fixes another size than the data have, lacks what its target needs, or its target returns no module.
    """
    node, beside = parted(config, "model")
    target = find_target(node["_target_"], "model._target_")
    offered = {"image_size": image_size, "num_classes": num_classes, "in_channels": in_channels}
    for key, value in offered.items():
        asked = node.get(key)
        if asked is not None and asked != value:
            raise ConfigError(f"model.{key}={asked}: the data have {value}")
    given = given_to(target, node, offered)
    packaged = inspect.isclass(target) and issubclass(target, FaceNet)

    def made(more: Mapping[str, Any]) -> nn.Module:
        with nullcontext() if values or not packaged else torch.device("meta"):
            model = build(OmegaConf.create({**node, **more}), **given)
        if not isinstance(model, nn.Module):
            raise ConfigError(
                f"model: {node['_target_']} returns {type(model).__name__}; expected an nn.Module"
            )
        return _complete(model, image_size, in_channels)

    if "match" not in beside:
        return made({})
    goal = beside["match"]
    if isinstance(goal, str):
        goal = count_parameters(named_model(goal, **offered)).total
    return made(_matched(made, node, target, goal))


def _complete(model: nn.Module, size: int, channels: int) -> nn.Module:
    """Give lazy layers their sizes, by one picture passed through."""
    if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        with torch.no_grad():
            model.eval()(torch.zeros(2, channels, size, size))
        model.train()
    return model


def _matched(
    made: Callable[[Mapping[str, Any]], nn.Module], node: Mapping[str, Any], target: Any, goal: int
) -> dict[str, Any]:
    """Return the widths, or the one width, with which the net comes nearest to ``goal`` parameters."""
    found = {key: node.get(key) or default_of(target, key) for key in _SCALED}
    key = next((key for key in _SCALED if found[key]), None)
    if key is None:
        raise ConfigError(
            f"model.match: scales model.widths or model.width, and {node['_target_']} takes neither"
        )
    listed = isinstance(found[key], Sequence)

    def with_widths(widths: Sequence[int]) -> dict[str, Any]:
        return {key: list(widths) if listed else widths[0]}

    def count(widths: Sequence[int]) -> int:
        with torch.random.fork_rng(devices=[]):
            return count_parameters(made(with_widths(widths))).total

    return with_widths(matched_widths(found[key] if listed else [found[key]], count, goal))
