"""Signs of life of running trials: for those on other hosts nothing else tells a slow one from a dead one."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from fer_lightning.sweeps.optuna_private import stale_trial_ids, trial_id

_BEAT = "fer:beat"


def record_beat(storage: BaseStorage, trial_id: int) -> None:
    """Note that the trial's process is alive now."""
    beat = getattr(storage, "record_heartbeat", None)
    if beat is not None:
        beat(trial_id)
    else:
        storage.set_trial_system_attr(trial_id, _BEAT, time.time())


def silent_trial_ids(study: optuna.Study, grace: int) -> set[int]:
    """Ids of running trials that have given no sign of life for `grace` seconds."""
    stale = stale_trial_ids(study)
    if stale is not None:
        return stale
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial_id(trial) for trial in running if time.time() - _last_beat(trial) > grace}


def _last_beat(trial: FrozenTrial) -> float:
    return float(trial.system_attrs.get(_BEAT, 0.0))


class Heartbeat:
    """Calls `beat` every `interval` seconds from a thread of its own, until it is left.

    A database that is locked or away for a while is no reason to die: the next beat may reach it.
    """

    def __init__(self, interval: float, beat: Callable[[], None]) -> None:
        self._ended = threading.Event()
        # A signal may come just before `__exit__`: then the thread ends when nobody holds this object any more.
        weakref.finalize(self, self._ended.set)
        arguments = (self._ended, interval, beat)
        self._thread = threading.Thread(target=_run, args=arguments, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        # A beat that waits for a locked database must not hold up the end of the trial.
        self._thread.join(timeout=5)


def _run(ended: threading.Event, interval: float, beat: Callable[[], None]) -> None:
    while not ended.wait(interval):
        with suppress(StorageInternalError, SQLAlchemyError, OSError):
            beat()
