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


def own_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that no factor names, by dotted key.

    They are the arguments of parts of one's own (``model.width``), and what differs from the nearest option of the
    augmentation or normalization where a key was changed (``augmentation.hue``).
    """
    found: dict[str, Any] = {}
    for group in ("model", "loss", "module", "augmentation", "normalization"):
        node = config.get(group) or {}
        package = str(node.get("_target_") or "fer_lightning").partition(".")[0]
        if package not in ("fer_lightning", "torch"):
            found |= {f"{group}.{key}": value for key, value in node.items() if key != "_target_"}
        elif group in ("augmentation", "normalization") and option_name(group, node) == "custom":
            found |= {f"{group}.{key}": value for key, value in _changed(group, node).items()}
    return {key: value for key, value in found.items() if not isinstance(value, Mapping)}


def _changed(group: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a node in which it differs from the option of its group that is nearest to it."""
    same = [
        content for content in _options(group).values() if content.get("_target_") == node.get("_target_")
    ]
    differing = [{key: value for key, value in node.items() if content.get(key) != value} for content in same]
    return min(differing, key=len, default={})


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
