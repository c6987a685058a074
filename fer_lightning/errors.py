"""Errors that are shown to a person as a single line, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar, Final

from hydra.errors import CompactHydraException

_MANY: Final = 40


class UserError(CompactHydraException):
    """A mistake in what the user gave; its text names the file, row, key or value and what was expected.

    The command line prints it as one line and exits with `exit_status`; another Hydra program prints it as one line
    too, for it is one of Hydra's own compact errors, and exits with status 1.
    """

    exit_status: ClassVar[int] = 2


class DataError(UserError):
    """The data are not what was expected."""


class ConfigError(UserError):
    """The configuration is not what was expected."""


class RunsFailedError(UserError):
    """What was asked for was begun, and nothing of it, or not all that matters, succeeded."""

    exit_status = 1


class ProcessLostError(RunsFailedError):
    """A process that the run needs was killed; the run can go on from its last checkpoint."""


class TrainingDivergedError(RunsFailedError):
    """The loss is no longer a number."""


def lacks_memory(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that a machine or a device has not the memory asked for."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error):
            return True
        error = error.__cause__
    return False


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint that ends a message about an unknown name: the nearest known one, or all of them.

    A dotted name that ends in the unknown one is nearer than any that is only spelt alike: ``lr`` is ``optimizer.lr``.
    Next are the same letters in another order: ``modle`` is ``model``, not ``module``. A name that is like no whole one
    may be like the end of one: ``lrr`` is ``optimizer.lr``.
    """
    names = sorted(map(str, known))
    close = [item for item in names if item.endswith(f".{name}")][:1]
    close = close or [item for item in names if sorted(item) == sorted(name)][:1]
    close = close or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if not close and "." not in name:
        ends = {item.rpartition(".")[2]: item for item in reversed(names)}
        close = [ends[end] for end in difflib.get_close_matches(name, ends, n=1, cutoff=0.7)]
    if close:
        return f"did you mean {close[0]}?"
    # Of very many, those at the top lead to the others.
    few = names if len(names) <= _MANY else [item for item in names if "." not in item]
    return f"expected one of {', '.join(few)}"
