"""What a search found: its best parameters, in the log and in a file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.study import StudyDirection
from optuna.trial import TrialState

from fer_lightning.redact import redact, redact_text
from fer_lightning.runs.files import write_text
from fer_lightning.sweeps.plan.confirmation import best_of

log = logging.getLogger(__name__)

BEST_FILE = "optimization_results.yaml"


def write_best(study: optuna.Study, folder: Path) -> None:
    """Log a search's best trial, or of several objectives those that no other surpasses, and write them.

    The file and the lines are those of hydra-optuna-sweeper, which scripts read.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not trials:
        return
    found: dict[str, Any] = {"name": "optuna"}
    if len(study.directions) == 1:
        best = best_of(trials, maximize=study.direction == StudyDirection.MAXIMIZE)
        if best is None:
            return
        found |= {"best_params": redact(best.params), "best_value": best.value}
        log.info("Best parameters: %s", found["best_params"])
        log.info("Best value: %s", best.value)
    else:
        front = study.best_trials
        found["solutions"] = [
            {"params": redact(trial.params), "values": list(trial.values)} for trial in front
        ]
        log.info("Number of Pareto solutions: %d", len(front))
        for solution in found["solutions"]:
            log.info("    Values: %s, Params: %s", solution["values"], solution["params"])
    write_text(folder / BEST_FILE, redact_text(yaml.safe_dump(found, sort_keys=False)))
