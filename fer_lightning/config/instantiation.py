"""Hydra's `instantiate` for the classes that a configuration names, under hydra-core 1.3 and 1.4."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import hydra.utils
from omegaconf import DictConfig, ListConfig, OmegaConf


def instantiate(node: Any, **options: Any) -> Any:
    """Build a node as ``hydra.utils.instantiate`` does.

    Hydra 1.4 asks for a whitelist of targets. It gets those that the node itself names, as the configuration is the
    user's own. A node that calls into Python's standard library goes without, so Hydra's own list of what no
    configuration may call stays in force.
    """
    if not hasattr(hydra.utils, "execution_whitelist"):
        return hydra.utils.instantiate(node, **options)
    names = sorted(set(_targets(node)))
    if not names or any(name.split(".")[0] in sys.stdlib_module_names for name in names):
        return hydra.utils.instantiate(node, **options)
    return hydra.utils.instantiate(node, _execution_whitelist_=names, **options)


def _targets(node: Any) -> Iterator[str]:
    plain = OmegaConf.to_container(node, resolve=True) if isinstance(node, (DictConfig, ListConfig)) else node
    if isinstance(plain, Mapping):
        if isinstance(plain.get("_target_"), str):
            yield plain["_target_"]
        plain = list(plain.values())
    if isinstance(plain, Sequence) and not isinstance(plain, str):
        for item in plain:
            yield from _targets(item)
