"""What made a study: the program, the command that worked on it last, and the versions of what it needs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import optuna

from fer_lightning.runs.provenance import typed_command, versions

ORIGIN = "origin"
# Beside Python and what the sweeper needs: named where the program has loaded them.
_LIBRARIES = {
    "torch": "torch",
    "pytorch_lightning": "pytorch-lightning",
    "lightning": "lightning",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
}
_ALWAYS = ("python", "hydra-core", "optuna", "numpy", "fer-lightning")


def origin_of(task: Callable[..., Any]) -> dict[str, Any]:
    """Return the program of a task function, this process's command and the versions, as JSON values."""
    known = versions()
    found = {name: known[name] for name in _ALWAYS}
    for module, package in _LIBRARIES.items():
        if module in sys.modules:
            with suppress(metadata.PackageNotFoundError):
                found[package] = metadata.version(package)
    function = inspect.unwrap(task)
    program = getattr(function, "__name__", type(function).__name__)
    with suppress(TypeError):  # an object that has no file, such as a partial
        program = f"{Path(inspect.getfile(function)).name}: {program}"
    return {"program": program, "command": typed_command(), "versions": found}


def keep_origin(study: optuna.Study, origin: dict[str, Any]) -> None:
    """Keep with a study what has worked on it last."""
    if study.user_attrs.get(ORIGIN) != origin:
        study.set_user_attr(ORIGIN, origin)


def command_of(study: optuna.Study) -> str | None:
    """Return the command that worked on a study last; None where that was not kept."""
    command: str | None = study.user_attrs.get(ORIGIN, {}).get("command")
    return command
