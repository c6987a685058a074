"""Optuna studies under Hydra: search spaces, ablation plans, storage, resume, peer workers."""

from __future__ import annotations

from typing import Any

__all__ = ["attach"]


def __getattr__(name: str) -> Any:
    """Load `attach` when it is asked for: most of this package is needed without Optuna."""
    if name != "attach":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fer_lightning.sweeps.jobs.attached import attach

    return attach
