"""A job's lease of its trial: taken when the job begins, given up when it ends, and lost if it falls silent."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from fer_lightning.errors import UserError
from fer_lightning.messages import disk_is_full, reason_of
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.queue.heartbeat import record_beat
from fer_lightning.sweeps.queue.owner import OWNER, Owner
from fer_lightning.sweeps.queue.recovery import LAST_TOKEN, bury, requeue, seconds_since_start
from fer_lightning.sweeps.study.lock import claim_lock


class TrialTakenError(UserError):
    """The trial was given to another process, because this one gave no sign of life for too long."""

    exit_status = 1


class StudyHaltedError(UserError):
    """The machine is at fault (a full disk, no database): the sweep stops and can be resumed."""

    exit_status = 1


@contextmanager
def storage_failures_halt(url: str) -> Iterator[None]:
    """Turn what a failing storage raises (a full disk, no database, a lock that is never freed) into one line.

    Raises
    ------
    StudyHaltedError
        Naming the storage and what it said.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StudyHaltedError(f"the study's storage {url} failed: {reason_of(error)}") from error
    except OSError as error:
        if not disk_is_full(error):
            raise
        raise StudyHaltedError(f"the study's storage {url} failed: {reason_of(error)}") from error


class Lease:
    """A job's right to run its trial, proved by the token of the claim."""

    def __init__(self, job: Job, storage: BaseStorage) -> None:
        self._job = job
        self._storage = storage
        self._lost = threading.Event()

    def take(self) -> bool:
        """Take the trial over from the sweep that claimed it; return whether it was begun before.

        Raises
        ------
        TrialTakenError
            If it went to another process meanwhile.
        """
        job = self._job
        with claim_lock(job.storage, job.study):
            trial = self._storage.get_trial(job.trial_id)
            before = Owner.of(trial.system_attrs)
            begun = job.resume or (before is not None and before.begun)
            if trial.state == TrialState.WAITING and trial.system_attrs.get(LAST_TOKEN) == job.token:
                # The scheduler stopped this job and starts it again, and nobody has taken its trial meanwhile.
                self._storage.set_trial_state_values(job.trial_id, TrialState.RUNNING)
                begun = True
            else:
                self._require(trial)
            owner = Owner.this_process(job.token, begun=True)
            self._storage.set_trial_system_attr(job.trial_id, OWNER, owner.as_attr())
            if before is None or not before.is_this_process():
                record_beat(self._storage, job.trial_id)  # else it was claimed, and beaten for, a moment ago
        return begun

    def trial(self) -> FrozenTrial:
        """The trial as it is stored now.

        Raises
        ------
        TrialTakenError
            If another process has it.
        """
        trial = self._storage.get_trial(self._job.trial_id)
        self._require(trial)
        return trial

    def beat(self) -> None:
        """Give a sign of life, or notice that the trial was given away."""
        if self._is_held(self._storage.get_trial(self._job.trial_id)):
            record_beat(self._storage, self._job.trial_id)
        else:
            self._lost.set()

    def check(self) -> None:
        """Raise `TrialTakenError` if a sign of life has found the trial given away; asks nobody."""
        if self._lost.is_set():
            raise self._taken()

    def give_back(self, loss: str | None = None) -> None:
        """Put the trial back into the queue, unless another process has it.

        Where ``loss`` says which process of the job was killed, the trial has died: too many deaths make it FAIL.
        """
        with claim_lock(self._job.storage, self._job.study):
            trial = self._storage.get_trial(self._job.trial_id)
            if not self._is_held(trial):
                return
            seconds = seconds_since_start(trial)
            if loss is None:
                requeue(self._storage, trial, seconds)
            else:
                bury(self._storage, trial, seconds, self._job.max_deaths, loss)

    @contextmanager
    def storage_errors(self) -> Iterator[None]:
        """Turn what the storage raises into the error that says what it means for the trial.

        Raises
        ------
        TrialTakenError
            Another process has finished the trial.
        StudyHaltedError
            The storage has failed.
        """
        job = self._job
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                yield
        except UpdateFinishedTrialError as error:
            raise TrialTakenError(
                f"trial {job.number} of study {job.study} was finished by another process"
            ) from error
        except (StorageInternalError, SQLAlchemyError) as error:
            raise StudyHaltedError(f"the study's storage {job.storage} failed: {reason_of(error)}") from error

    def _is_held(self, trial: FrozenTrial) -> bool:
        owner = Owner.of(trial.system_attrs)
        return trial.state == TrialState.RUNNING and owner is not None and owner.token == self._job.token

    def _require(self, trial: FrozenTrial) -> None:
        if not self._is_held(trial):
            raise self._taken()

    def _taken(self) -> TrialTakenError:
        return TrialTakenError(
            f"trial {self._job.number} of study {self._job.study} was given to another process"
        )
