"""One trial of a study: the training, its reports to the study, and its result."""

from __future__ import annotations

import functools
import gc
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf

from fer_lightning.callbacks.pruning import TrialPruning
from fer_lightning.sweeps.jobs.attached import attach
from fer_lightning.sweeps.jobs.session import TrialSession
from fer_lightning.tracking.run_metadata import safe_id
from fer_lightning.training.size_known import known_sizes
from fer_lightning.training.train import RunResult, train


def run_trial(config: DictConfig, folder: Path) -> float | None:
    """Train the model of the current trial and tell the study what came of it.

    Returns
    -------
    float or None
        The monitored metric; ``None`` for a trial that was pruned.
    """
    session = attach()
    if session is None:
        raise RuntimeError("no trial is set in the environment")
    with session:
        session.admit(**known_sizes(config, session.limited))
        _take_over(config, session)
        result = train(
            config,
            folder,
            extra_callbacks=[TrialPruning(session, config.metric)],
            wandb_options=_wandb_options(session),
        )
        _set_libraries_aside()
        if result.record["status"] == "pruned":
            raise optuna.TrialPruned(f"pruned {result.record['reason']}")
        session.complete(_metrics(result), attrs={"epochs": result.epochs})
        return result.value
    return None


@functools.cache
def _set_libraries_aside() -> None:
    """Once, after a process's first trial: let the collector pass over what the libraries have loaded for good.

    Otherwise each full collection of the following trials walks through all of it.
    """
    gc.collect()
    gc.freeze()


def _take_over(config: DictConfig, session: TrialSession) -> None:
    """Set what the study decides about a run."""
    OmegaConf.update(config, "resume", session.resumed)
    saliency = (config.get("callbacks") or {}).get("saliency")
    if saliency and saliency.get("which") == "correct":
        OmegaConf.update(config, "callbacks.saliency.which", "same")  # to be compared from run to run
    progress = (config.get("callbacks") or {}).get("progress")
    if progress:
        OmegaConf.update(config, "callbacks.progress.label", f"trial {session.number}", force_add=True)
        OmegaConf.update(config, "callbacks.progress.lines", False)


def _wandb_options(session: TrialSession) -> dict[str, Any]:
    """Return what a study says of its trial's W&B run: grouped by study, of a job type for each arm."""
    arm = session.arm
    return {
        "group": session.study_name,
        "run_id": safe_id(session.study_name, session.study_id, f"{session.number:04d}"),
        "study_folder": session.directory.parent,
        "run_name": f"trial {session.number}" + (f" · {arm}" if arm else ""),
        "job_type": arm or "search",
        "study_tags": ["search" if arm is None or session.confirms else "ablation"],
        "study": {**session.params, "trial": session.number, **({"arm": arm} if arm else {})},
    }


def _metrics(result: RunResult) -> dict[str, float]:
    """Return what a study may have as its objectives: the best epoch's metrics, the size, the time."""
    best = {key: float(value) for key, value in (result.record["best"] or {}).items()}
    return best | {
        "parameters": float(result.record["parameters"]["total"]),
        "seconds": float(result.record["seconds"]),
        "epochs": float(result.epochs),
        "seconds/train_total": float(result.record["train_seconds"]),
    }
