"""What a search found: its best parameters, in the log and in a file."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.config.typed import shown
from fer_lightning.redact import MASK, redact, redact_text
from fer_lightning.runs.files import write_text
from fer_lightning.runs.provenance import typed_command
from fer_lightning.runs.run import Run
from fer_lightning.sweeps.plan.confirmation import best_of, search_trials
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.study.constraints import CONSTRAINTS, violated
from fer_lightning.sweeps.study.taken import is_taken

log = logging.getLogger(__name__)

BEST_FILE = "optimization_results.yaml"


# What makes a command a sweep, and where its trials go.
_OF_A_SWEEP = ("hydra.sweep", "hydra/sweeper", "hydra.launcher", "hydra/launcher", "hydra.mode", "study.")


def _say_where(best: FrozenTrial, folder: Path, searched: Collection[str]) -> None:
    """Name the folder of the best trial, and the commands that look at it and run it once more."""
    place = folder / best.user_attrs.get("directory", "")
    flags = {"-m", "--multirun"} & set(sys.argv)
    kept = [
        word
        for word in sys.argv[1:]
        if word not in flags
        and not ("=" in word and key_of(word) in searched)
        and not word.lstrip("+").startswith(_OF_A_SWEEP)
    ]
    again = [*kept, *best.user_attrs["overrides"], *([] if flags else ["hydra.mode=RUN"])]
    found_in = best.user_attrs["reason"] if is_taken(best) else f"in {redact_text(shown(place))}"
    log.info("best: trial %d, %s", best.number, found_in)
    run = Run(None if is_taken(best) else place)
    if run.record and run.checkpoint is not None:  # one of this package's own
        place = shlex.quote(redact_text(shown(run.checkpoint)))
        log.info("to measure it: python -m fer_lightning evaluate checkpoint=%s", place)
    command = typed_command(again)
    log.info("to run it once more%s: %s", f", with what {MASK} hides" if MASK in command else "", command)


def write_best(study: optuna.Study, folder: Path, searched: Collection[str]) -> None:
    """Log a search's best trial, or of several objectives those that no other surpasses, and write them.

    The file and the last lines are those of hydra-optuna-sweeper, which scripts read.

    Parameters
    ----------
    folder
        Of the study.
    searched
        The keys that it searches.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    searched_trials = search_trials(study.get_trials(deepcopy=False))
    if searched_trials and all(map(violated, searched_trials)):
        log.info("no trial meets the constraints %s", ", ".join(study.user_attrs.get(CONSTRAINTS, ())))
    if not trials:
        return
    found: dict[str, Any] = {"name": "optuna"}
    if len(study.directions) == 1:
        best = best_of(trials, maximize=study.direction == StudyDirection.MAXIMIZE)
        if best is None:
            return
        _say_where(best, folder, searched)
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
