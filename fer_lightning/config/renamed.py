"""Earlier names in stored configurations: modules that have moved, and keys that are gone.

A run's checkpoints, and what is fixed in a study, hold the configuration as it was written then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Modules that a configuration names as ``_target_``: earlier and present.
MODULES = {
    "fer_lightning.optim": "fer_lightning.training.schedules",
    "fer_lightning.muon": "fer_lightning.training.muon",
    "fer_lightning.tracking.wandb_run": "fer_lightning.tracking.logger",
    "fer_lightning.study_report": "fer_lightning.study.study_report",
    "fer_lightning.explain.lime": "fer_lightning.explain.lime_explanation",
    "fer_lightning.explain.trust.trust_rules": "fer_lightning.explain.trust_checks.trust_rules",
    "fer_lightning.explain.saliency.grad_cam": "fer_lightning.explain.saliency_methods.grad_cam",
    "fer_lightning.explain.saliency.gradient": "fer_lightning.explain.saliency_methods.gradient",
    "fer_lightning.explain.saliency.integrated_gradients": (
        "fer_lightning.explain.saliency_methods.integrated_gradients"
    ),
    "fer_lightning.explain.saliency.occlusion": "fer_lightning.explain.saliency_methods.occlusion",
}
# Keys that are gone: callbacks take the run's folder from the trainer. As written in conf/, and as kept by a run.
_GONE = "output_dir"
_PLACES = ("${output_dir}", ".")
_WITH_FOLDER = {
    f"fer_lightning.callbacks.{name}"
    for name in (
        "checkpoint.RunCheckpoint",
        "predictions.BestPredictions",
        "confusion.ConfusionMatrix",
        "saliency.SaliencyMaps",
        "history.HistoryFigure",
        "filters.FilterImages",
        "explanation.ExplanationPart",
    )
}
_DRAWS = "fer_lightning.callbacks.dead_units.DeadUnits"

# Keys that came later, with the values under which everything is as it was without them.
ADDED: dict[str, Any] = {"data.folds": None, "data.fold": None}
ADDED |= {"data.eval_fraction": 1.0, "data.unreadable": "refuse", "data.names": None}
ADDED |= {"data.channels": 1, "data.on_device": "auto", "model.in_channels": None}
ADDED |= {"data.labels": None, "data.label_mode": "majority"}
ADDED |= {"augmentation.saturation": 0.0, "augmentation.hue": 0.0}
ADDED |= {"loss._target_": None, "loss.focal_gamma": 0.0, "data.sampling": "shuffled"}
ADDED |= {"metrics": {}, "module": {}, "schema": None}
ADDED |= {"model.weights": None, "model.freeze": None, "optimizer.layer_decay": None}


def current_config(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that a run has kept, nested plain values, by its present names."""
    config = _replaced(stored, MODULES)
    config.pop(_GONE, None)
    callbacks = config.get("callbacks") or {}
    for name, node in callbacks.items():
        if isinstance(node, Mapping):
            prefix = f"callbacks.{name}."
            flat = current_flat({f"{prefix}{key}": value for key, value in node.items()})
            callbacks[name] = {key.removeprefix(prefix): value for key, value in flat.items()}
    return dict(config)


def current_flat(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as one mapping with dotted keys by its present names."""
    flat: dict[str, Any] = _replaced(stored, MODULES)
    flat.pop(_GONE, None)
    for prefix, target in _callbacks(flat):
        if flat.get(f"{prefix}.folder") in _PLACES and target in {*_WITH_FOLDER, _DRAWS}:
            del flat[f"{prefix}.folder"]
            if target == _DRAWS:
                flat[f"{prefix}.draw"] = True
    return flat


def earlier_flat(present: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with dotted keys by its earliest names, from which a study's name has always been made."""
    flat: dict[str, Any] = _replaced(present, {new: old for old, new in MODULES.items()})
    for prefix, target in _callbacks(flat):
        if target in _WITH_FOLDER or (target == _DRAWS and flat.pop(f"{prefix}.draw", False)):
            flat.setdefault(f"{prefix}.folder", _PLACES[0])
    return flat


def _callbacks(flat: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the key and the target of every callback."""
    names = {tuple(key.split(".")[:2]) for key in flat if key.startswith("callbacks.")}
    prefixes = [".".join(name) for name in sorted(names)]
    return [(prefix, flat.get(f"{prefix}._target_")) for prefix in prefixes]


def _replaced(value: Any, modules: Mapping[str, str]) -> Any:
    """Return plain values with the dotted names of moved modules replaced, whatever holds them."""
    if isinstance(value, Mapping):
        return {key: _replaced(item, modules) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item, modules) for item in value]
    if not isinstance(value, str):
        return value
    module, dot, name = value.rpartition(".")
    return f"{modules[module]}{dot}{name}" if module in modules else value
