"""The controller's loop: claim, run, go on until the study's budget is spent; stopped, it can be resumed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from fer_lightning.signals import raise_if_stopped, shielded, stop_requested, stoppable
from fer_lightning.sweeps.optuna_private import storage_of
from fer_lightning.sweeps.progress_lines import Progress
from fer_lightning.sweeps.queue.claim import Claim
from fer_lightning.sweeps.queue.heartbeat import Heartbeat, record_beat
from fer_lightning.sweeps.queue.kept_checkpoints import CheckpointKeeper
from fer_lightning.sweeps.queue.trial_queue import TrialQueue
from fer_lightning.sweeps.study.open import StudySpec

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
RunBatch = Callable[[TrialQueue, list[Claim]], object]


class Controller:
    """Runs a study's trials until none is left.

    Parameters
    ----------
    run_batch
        Runs claimed trials to their end, in this process or elsewhere.
    may_go_on
        Asked before each claim; False ends the loop early (a worker whose starter is gone).
    """

    def __init__(
        self,
        study: optuna.Study,
        spec: StudySpec,
        run_batch: RunBatch,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._study = study
        self._spec = spec
        self._run_batch = run_batch
        self._may_go_on = may_go_on
        self._queue = TrialQueue(study, spec)
        self._keeper = CheckpointKeeper(study, spec)
        self._progress = Progress(spec, lambda: self._queue.budget)

    def run(self) -> None:
        """Run the study to the end of its budget.

        Raises
        ------
        TooManyFailuresError
            If `max_failures` trials have failed.
        StudyHaltedError
            If the disk is full or the database is gone.
        KeyboardInterrupt, SystemExit
            As they came, after the trials held here were put back.
        """
        with stoppable():
            try:
                self._progress.begin(self._queue.trials())
                self._keeper.tidy()
                while self._may_go_on():
                    raise_if_stopped()
                    batch = self._queue.claim(self._spec.options.n_jobs)
                    if batch:
                        with self._beating(batch):
                            self._run_batch(self._queue, batch)
                        self._progress.after(self._queue.trials(), batch)
                        self._keeper.tidy()
                    elif self._queue.exhausted:
                        break
                    else:
                        # A peer still runs; should it die, its trial is ours.
                        time.sleep(_POLL_SECONDS)
            except BaseException as error:
                if stop_requested() or isinstance(error, (KeyboardInterrupt, SystemExit)):
                    self._stop()
                raise
        self._progress.end(self._queue.trials(), self._queue.limit)
        self._keeper.say()

    def trials(self) -> list[FrozenTrial]:
        """The study's trials that belong to this command."""
        return self._queue.trials()

    def _stop(self) -> None:
        with shielded(), suppress(StorageInternalError, SQLAlchemyError, OSError):
            self._queue.requeue(self._queue.last_claims)
            self._progress.interrupted(self._queue.trials())

    def _beating(self, batch: list[Claim]) -> Heartbeat:
        """Give signs of life for trials that wait in a launcher's queue, until their own processes do."""

        def beat() -> None:
            for claim in batch:
                record_beat(storage_of(self._study), claim.trial_id)

        return Heartbeat(self._spec.options.heartbeat, beat)
