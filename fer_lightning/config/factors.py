"""What a study varies, read off any run's configuration: one plain value each, to group and compare runs by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

FACTORS = ("dropout", "activation", "normalization", "augmentation")
"""The factors of the reports."""


@cache
def _options(group: str) -> dict[str, dict[str, Any]]:
    """Return the content of every option of a group of ``conf/`` by its name."""
    folder = files("fer_lightning.conf").joinpath(group)
    found = {}
    for path in folder.iterdir():
        if path.name.endswith(".yaml"):
            found[path.name.removesuffix(".yaml")] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return found


def option_name(group: str, node: Any) -> str:
    """Return which option of a configuration group a node is; ``custom`` where it was changed by its keys."""
    for name, content in sorted(_options(group).items()):
        if content == node:
            return name
    return "custom" if node else "none"


def factors(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the factors of a run, its seed, model, data and learning rate.

    Parameters
    ----------
    config
        A resolved configuration as plain values, as in a run's ``config.yaml``.

    Returns
    -------
    dict
        ``dropout`` is the factor on the model's own rates, or the rates where they were given.
    """
    model = config.get("model") or {}
    rates = model.get("dropout")
    return {
        "dropout": model.get("dropout_scale") if rates is None else rates,
        "activation": model.get("activation"),
        "normalization": option_name("normalization", config.get("normalization")),
        "augmentation": option_name("augmentation", config.get("augmentation")),
        "seed": config.get("seed"),
        "model": model.get("name") or str(model.get("_target_", "")).rpartition(".")[2].lower() or None,
        "lr": (config.get("optimizer") or {}).get("lr"),
    }


def top_level(config: Mapping[str, Any], study: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a run's configuration for W&B: factors at the top level, everything else under ``settings``.

    Parameters
    ----------
    config
        As for :func:`factors`.
    study
        What a study says of its trial: ``arm``, ``trial``, and its parameters by name.
    """
    found = {key: value for key, value in factors(config).items() if value is not None}
    return found | dict(study or {}) | {"settings": dict(config)}
