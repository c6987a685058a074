"""A trial as its job sees it: it reports, is pruned, and tells its own result."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

import optuna
from optuna import TrialPruned
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from fer_lightning.errors import ProcessLostError
from fer_lightning.messages import disk_is_full, reason_of
from fer_lightning.redact import redact_text
from fer_lightning.signals import (
    interruption_behind,
    raise_if_stopped,
    shielded,
    stop_requested,
    stoppable,
)
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.jobs.error_file import keep_traceback
from fer_lightning.sweeps.optuna_private import last_read
from fer_lightning.sweeps.plan.confirmation import is_confirming, search_part
from fer_lightning.sweeps.queue.heartbeat import Heartbeat
from fer_lightning.sweeps.queue.lease import Lease, StudyHaltedError, TrialTakenError
from fer_lightning.sweeps.queue.recovery import seconds_in_all
from fer_lightning.sweeps.study.algorithms import build_pruner
from fer_lightning.sweeps.study.constraints import CONSTRAINTS
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.objective_values import Values, choose, last_value
from fer_lightning.sweeps.study.promoted import promotion_of, repeat_reports
from fer_lightning.sweeps.study.storage import open_storage
from fer_lightning.sweeps.study.trial_limits import TrialLimits

log = logging.getLogger(__name__)


class TrialSession:
    """One attempt at one trial, from `begin` to the end of the job, or of a block that uses it as a context manager.

    Leaving it without a word told to it is told as well: `optuna.TrialPruned` becomes PRUNED and is
    swallowed, any other Exception becomes FAIL with its one-line reason and goes on, and what ends the
    process (Ctrl-C, SIGTERM, `sys.exit`) puts the trial back into the queue, to be continued from its last
    checkpoint. So does a signal whose exception something else swallowed, at the next report, and
    `ProcessLostError`, up to `max_deaths` times without a new step.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.number = job.number
        self.directory = job.directory
        self.study_name = job.study
        self._storage = open_storage(job.storage, heartbeat=job.heartbeat)
        study = optuna.load_study(
            study_name=job.study,
            storage=self._storage,
            sampler=optuna.samplers.RandomSampler(),
        )
        about = study.user_attrs
        study.pruner = build_pruner(about.get("pruner"))
        self.study_id: str = about.get("id", "")
        self._objectives: list[str] = about.get("objectives") or ["value"]
        self._lease = Lease(job, self._storage)
        self.resumed = self._lease.take()
        self._trial = optuna.Trial(search_part(study), job.trial_id)
        self.confirms = is_confirming(last_read(self._trial))
        self._limits = TrialLimits(about.get(CONSTRAINTS), self._trial)
        with self._lease.storage_errors():
            repeat_reports(self._trial)
        self._around = ExitStack()
        self._begun = False
        self.told = False
        self.ended = False

    @property
    def params(self) -> dict[str, Any]:
        """The trial's parameters by name."""
        return self._trial.params

    @property
    def arm(self) -> str | None:
        """The trial's arm of an ablation plan; None in a search."""
        return self._trial.user_attrs.get("arm")

    @property
    def reported_steps(self) -> frozenset[int]:
        """Steps that were reported already, by this attempt or an earlier one."""
        return frozenset(last_read(self._trial).intermediate_values)

    def __enter__(self) -> TrialSession:
        self.begin()
        return self

    def begin(self) -> None:
        """Give signs of life from now on, and take a signal for an interruption; once begun it goes on."""
        if self._begun:
            return
        self._begun = True
        try:
            with shielded():
                self._around.enter_context(stoppable())
                self._around.enter_context(Heartbeat(self.job.heartbeat, self._lease.beat))
        except BaseException as error:  # a signal that came meanwhile
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def report(self, value: float, step: int) -> None:
        """Report the objective at a step (an epoch, from 0); one reported before is left as it is."""
        raise_if_stopped()
        self._lease.check()
        if len(self._objectives) > 1 or step in self.reported_steps:
            return
        with self._lease.storage_errors():
            self._trial.report(float(value), step)

    def should_prune(self) -> bool:
        """Whether the study's pruner gives the trial up.

        Always False with several objectives, and for a trial that confirms a setting, whose mean needs every seed.
        """
        raise_if_stopped()
        self._lease.check()
        if len(self._objectives) > 1 or self.confirms:
            return False
        with self._lease.storage_errors():
            return self._trial.should_prune()

    def set_attr(self, key: str, value: Any) -> None:
        """Keep a JSON value with the trial."""
        with self._lease.storage_errors():
            self._trial.set_user_attr(key, value)

    @property
    def limited(self) -> frozenset[str]:
        """The numbers that the study's constraints limit."""
        return self._limits.names

    def admit(self, **known: float) -> None:
        """Ask whether a trial of which so much is known need be trained: ``trial.admit(parameters=3_000_000)``.

        Raises
        ------
        optuna.TrialPruned
            It violates a constraint of the study, and ends as infeasible.
        """
        with self._lease.storage_errors():
            self._limits.admit(known)

    def complete(self, values: Values, attrs: Mapping[str, Any] | None = None) -> None:
        """Tell the result.

        Parameters
        ----------
        values
            The objective, the list of objectives, or a mapping that holds each objective of the study by name
            (``{"val/acc": 0.7, …}``). One that is missing or not a number makes the trial FAIL.
        attrs
            JSON values to be kept with the trial.
        """
        for key, value in (attrs or {}).items():
            self.set_attr(key, value)
        try:
            chosen = choose(values, self._objectives)
            trial = self._lease.trial() if self.limited else None
            seconds = (
                0.0 if trial is None else seconds_in_all(trial) + promotion_of(trial).get("seconds", 0.0)
            )
            excess, reason = self._limits.judge(values, chosen, self._objectives, seconds)
        except ValueError as error:
            self.fail(str(error))
            return
        with self._lease.storage_errors():
            self._limits.keep(excess)
        self._tell(TrialState.COMPLETE, values=chosen, reason=reason or None)

    def prune(self, reason: str | None = None) -> None:
        """Tell that the trial was given up early; its value is the last one reported."""
        last = max(self.reported_steps, default=None)
        self._tell(TrialState.PRUNED, reason=reason or f"pruned after step {last}")

    def fail(self, reason: str) -> None:
        """Tell that the trial failed, and why, in one line."""
        self._tell(TrialState.FAIL, reason=reason)

    def interrupt(self) -> None:
        """Put the trial back into the queue: same parameters, same folder, nothing lost from the budget."""
        with shielded():
            self._lease.give_back()
            self.told = True

    def _tell(self, state: TrialState, values: list[float] | None = None, reason: str | None = None) -> None:
        with self._lease.storage_errors(), claim_lock(self.job.storage, self.job.study):
            trial = self._lease.trial()
            self._storage.set_trial_user_attr(self.job.trial_id, "seconds", round(seconds_in_all(trial), 3))
            if reason is not None:
                self._storage.set_trial_user_attr(self.job.trial_id, "reason", reason)
            # What `Study.tell` does for a random sampler; it would read the trial twice more.
            if state == TrialState.PRUNED:
                values = last_value(trial)
            self._storage.set_trial_state_values(self.job.trial_id, state, values)
            self.told = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            with self._around:
                return self._conclude(error)
        finally:
            self.ended = True

    def _conclude(self, error: BaseException | None) -> bool:
        """Tell what was not told yet; return whether the error is dealt with."""
        if isinstance(error, TrialPruned):
            if not self.told:
                self.prune(str(error) or None)
            return True
        if self.told or isinstance(error, TrialTakenError):
            return False
        # What goes wrong after a signal counts as its consequence.
        if stop_requested() or (error is not None and not isinstance(error, Exception)):
            self._try_to_interrupt()
            stopped = interruption_behind(error)
            if stopped is not None and stopped is not error:
                raise stopped from None
            return False
        if error is None:
            self.fail("the job ended without a result")
            return False
        if isinstance(error, ProcessLostError):
            with self._lease.storage_errors(), shielded():
                self._lease.give_back(loss=redact_text(str(error)))
                self.told = True
            return False
        if isinstance(error, StudyHaltedError) or disk_is_full(error):
            self._try_to_interrupt()
            if isinstance(error, StudyHaltedError):
                return False
            raise StudyHaltedError(
                f"no space left on the disk of {self.directory}: {reason_of(error)}"
            ) from error
        keep_traceback(self.directory, error)
        self.fail(reason_of(error))
        return False

    def _try_to_interrupt(self) -> None:
        """Put the trial back into the queue; where that cannot be written, the next start finds the trial."""
        with suppress(StorageInternalError, SQLAlchemyError, OSError):
            self.interrupt()
