"""The program that a sweep runs, with what goes wrong in it kept where a person looks."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from hydra.types import TaskFunction
from omegaconf import DictConfig
from optuna import TrialPruned

from fer_lightning.errors import ProcessLostError
from fer_lightning.redact import redact_text
from fer_lightning.signals import stop_requested
from fer_lightning.sweeps.jobs.attached import concluding
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.jobs.error_file import keep_traceback
from fer_lightning.sweeps.queue.lease import StudyHaltedError, TrialTakenError


class TracedTask:
    """A Hydra program's function whose failures leave their traceback in the trial's folder and its log.

    It may travel to another process, as a launcher's jobs do.

    Parameters
    ----------
    task_function
        What the program's `hydra.main` decorates.
    """

    def __init__(self, task_function: TaskFunction) -> None:
        self.task_function = task_function
        # Where Hydra and its launchers look for a function's name.
        self.__name__ = getattr(task_function, "__name__", type(task_function).__name__)

    def __call__(self, config: DictConfig) -> Any:
        """Run the program's function, and raise what it raises."""
        job = Job.current()
        for handler in _log_files() if job is not None else ():
            handler.addFilter(_is_not_hydras_own)
        try:
            with concluding(job) as returned:
                return returned(self.task_function(config))
        except (TrialPruned, StudyHaltedError, TrialTakenError, ProcessLostError):
            raise  # the trial has not failed
        except Exception as error:
            if job is not None and not stop_requested():
                keep_traceback(job.directory, error)
                _log(f"trial {job.number} failed", error)
            raise


def _log(text: str, error: Exception) -> None:
    """Write an error with its traceback to the job's log files; the terminal gets the study's one line about it."""
    information = (type(error), error, error.__traceback__)
    record = logging.getLogger(__name__).makeRecord(
        __name__, logging.ERROR, __file__, 0, text, (), information
    )
    # As text, so that a formatter that knows nothing of secrets has nothing to add.
    record.exc_text = redact_text("".join(traceback.format_exception(error)).rstrip())
    for handler in _log_files():
        handler.handle(record)


def _log_files() -> list[logging.Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)]


def _is_not_hydras_own(record: logging.LogRecord) -> bool:
    """Return False for the record in which Hydra 1.4 logs a job's error, with its secrets, and a pruned trial's too."""
    return (record.name, record.msg) != ("hydra.core.utils", "Job failed")
