"""Trials that were interrupted: they go back to the queue with their parameters, steps and folder."""

from __future__ import annotations

import datetime
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.messages import counted
from fer_lightning.sweeps.optuna_private import storage_of, trial_id
from fer_lightning.sweeps.queue.heartbeat import silent_trial_ids
from fer_lightning.sweeps.queue.owner import OWNER, Owner

log = logging.getLogger(__name__)

ATTEMPTS = "fer:attempts"
SPENT = "fer:spent"
LAST_TOKEN = "fer:last_token"
_DEATHS = "fer:deaths"


@dataclass(frozen=True)
class Recovery:
    """When a running trial counts as dead, and how often it may die."""

    grace: int
    max_deaths: int

    def run(self, study: optuna.Study, sweep_dir: Path) -> list[int]:
        """Put trials of dead processes back into the queue; return their numbers. Needs the claim lock."""
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        silent = silent_trial_ids(study, self.grace) if running else set()
        dead = [trial for trial in running if _is_dead(trial, silent)]
        for trial in dead:
            storage = storage_of(study)
            if Owner.of(trial.system_attrs) is None:  # it never ran
                requeue(storage, trial, seconds=0.0)
            else:
                bury(storage, trial, _seconds_until_last_write(trial, sweep_dir), self.max_deaths)
        return [trial.number for trial in dead]


def bury(
    storage: BaseStorage, trial: FrozenTrial, seconds: float, max_deaths: int, loss: str | None = None
) -> None:
    """Let a trial go on whose process, or one of whose processes, died; FAIL if that has become too often.

    Needs the claim lock.

    Parameters
    ----------
    seconds
        How long the attempt ran.
    max_deaths
        How often in a row it may die without a new step.
    loss
        Which of its processes died, and how; by default it is the one that held the trial.
    """
    steps = len(trial.intermediate_values)
    earlier: dict[str, Any] = trial.system_attrs.get(_DEATHS, {"count": 0, "steps": 0})
    # A trial that got further than last time was interrupted; one that did not may be what kills its process.
    count = 1 if steps > earlier["steps"] else earlier["count"] + 1
    if count > max_deaths:
        reason = f"its process died {counted(count, 'time')} without getting any further ({loss or 'out of memory?'})"
        storage.set_trial_user_attr(trial_id(trial), "reason", reason)
        storage.set_trial_state_values(trial_id(trial), TrialState.FAIL)
        log.warning("trial %d failed: %s", trial.number, reason)
        return
    storage.set_trial_system_attr(trial_id(trial), _DEATHS, {"count": count, "steps": steps})
    requeue(storage, trial, seconds)
    what = "was left by a process that is gone" if loss is None else f"was interrupted: {loss}"
    log.info("trial %d %s; it goes on from its last checkpoint", trial.number, what)


def requeue(storage: BaseStorage, trial: FrozenTrial, seconds: float) -> None:
    """Let a running trial wait for its continuation. Needs the claim lock.

    It stays the same trial, so that nothing can be lost or counted twice however the process ends: its
    number, folder, parameters and reported steps are kept, and the change of state is one transaction.
    """
    spent = float(trial.system_attrs.get(SPENT, 0.0)) + seconds
    storage.set_trial_system_attr(trial_id(trial), SPENT, spent)
    owner = Owner.of(trial.system_attrs)
    storage.set_trial_system_attr(trial_id(trial), LAST_TOKEN, None if owner is None else owner.token)
    storage.set_trial_system_attr(trial_id(trial), OWNER, None)
    storage.set_trial_state_values(trial_id(trial), TrialState.WAITING)


def seconds_since_start(trial: FrozenTrial) -> float:
    """Seconds since this attempt began."""
    if trial.datetime_start is None:
        return 0.0
    return max(0.0, (datetime.datetime.now() - trial.datetime_start).total_seconds())


def seconds_in_all(trial: FrozenTrial) -> float:
    """Seconds that a running trial has run, over all attempts."""
    return float(trial.system_attrs.get(SPENT, 0.0)) + seconds_since_start(trial)


def _is_dead(trial: FrozenTrial, silent: set[int]) -> bool:
    owner = Owner.of(trial.system_attrs)
    if owner is None:
        # Claims are made under the lock that we hold now: whoever made this one died before it was done.
        return True
    if owner.is_here():
        return not owner.is_alive()
    return trial_id(trial) in silent


def _seconds_until_last_write(trial: FrozenTrial, sweep_dir: Path) -> float:
    """How long a killed attempt ran, judged by the newest file in its folder."""
    folder = sweep_dir / trial.user_attrs.get("directory", "")
    if trial.datetime_start is None or not trial.user_attrs.get("directory") or not folder.is_dir():
        return 0.0
    started = trial.datetime_start.timestamp()
    newest = max((path.stat().st_mtime for path in folder.rglob("*") if path.is_file()), default=started)
    return max(0.0, newest - started)
