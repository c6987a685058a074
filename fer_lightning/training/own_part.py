"""A function or a class of somebody else, named in the configuration, as something to be called with tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import OmegaConf

from fer_lightning.config.signatures import find_target, given_to, named_parameters
from fer_lightning.errors import ConfigError
from fer_lightning.training.construct import build


def build_callable(node: Mapping[str, Any], group: str, offered: Mapping[str, Any]) -> Callable[..., Any]:
    """Return what a node's ``_target_`` calls: an object of a class, or a function itself with the node's keys.

    Of the ``offered`` values it gets those that its signature names.

    Raises
    ------
    ConfigError
        The target lacks something, refuses its values, or makes what cannot be called.
    """
    target = find_target(node["_target_"], f"{group}._target_")
    if not inspect.isclass(target):
        named = named_parameters(target)
        given = {key: value for key, value in offered.items() if key in named}
        function: Callable[..., Any] = build(OmegaConf.create({**node, "_partial_": True}), **given)
        return function
    given = given_to(target, node, offered, group)
    try:
        made = build(OmegaConf.create(dict(node)), **given)
    except ConfigError as error:
        raise ConfigError(f"{group}: {error}") from error
    if not callable(made):
        raise ConfigError(f"{group}: {node['_target_']} cannot be called; expected a function or a module")
    return made
