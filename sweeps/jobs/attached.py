"""The trial that a job of any program attaches itself to, until the job ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.jobs.session import TrialSession

NO_RESULT = "the job returned no result but None"

# The session of the job that this process runs, until it ends.
_attached: TrialSession | None = None


def attach() -> TrialSession | None:
    """The trial that this process was started for; None in a run that is no part of a study.

    It gives signs of life until the job ends, when it is told what the job returned or raised. Called again in the same
    job, it returns the same session.

    Raises
    ------
    TrialTakenError
        If the trial went to another process before this one began.
    """
    global _attached
    job = Job.current()
    if job is None:
        return None
    if _attached is None or _attached.ended or _attached.job != job:
        _attached = TrialSession(job)
        _attached.begin()
    return _attached


@contextmanager
def concluding(job: Job | None) -> Iterator[Callable[[Any], Any]]:
    """Around a whole job: what a session that it attached and did not end itself has come to is told at its end.

    Gives a function that takes, and returns, what the job returned.
    """

    def session() -> TrialSession | None:
        held = _attached
        return None if held is None or held.ended or held.job != job else held

    def returned(value: Any) -> Any:
        open_session = session()
        if open_session is not None and not open_session.told:
            if value is None:
                open_session.fail(NO_RESULT)
            else:
                open_session.complete(value)
        return value

    try:
        yield returned
    except BaseException as error:
        if (left := session()) is not None:
            left.__exit__(type(error), error, error.__traceback__)
        raise
    if (left := session()) is not None:
        left.__exit__(None, None, None)
