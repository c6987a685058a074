"""Text for people: an error in one line, a note once in a study, a table with aligned columns."""

from __future__ import annotations

import errno
import logging
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from fer_lightning.errors import RunsFailedError, UserError
from fer_lightning.redact import redact_text

log = logging.getLogger(__name__)
T = TypeVar("T")
_logged: set[str] = set()
_FULL = (errno.ENOSPC, errno.EDQUOT)


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process."""
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


def shows_bars() -> bool:
    """Whether a bar is seen: on a terminal and in a notebook."""
    return sys.stderr.isatty() or in_notebook()


def new_bar(*args: Any, **options: Any) -> tqdm[Any]:
    """Return a bar of tqdm, in a notebook the one that notebooks draw."""
    if in_notebook():
        with warnings.catch_warnings():
            # Without ipywidgets its bar is one of text; a call of this package is no place to hear of that.
            warnings.filterwarnings("ignore", message="IProgress not found")
            from tqdm.auto import tqdm as notebook_bar

        return notebook_bar(*args, **options)
    return tqdm(*args, **options)


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """Yield the items; on a terminal and in a notebook, with a bar once it has taken three seconds."""
    return new_bar(
        items,
        what,
        total,
        delay=3,
        leave=False,
        disable=not shows_bars(),
        dynamic_ncols=True,
        bar_format="{desc} |{bar}| {n_fmt}/{total_fmt}  {remaining} left",
    )


def standing_bar(what: str, done: int, total: int) -> tqdm[Any]:
    """Return a bar that stands on a terminal and in a notebook until it is closed: one of several steps is at work."""
    return new_bar(
        initial=done,
        total=total,
        desc=what,
        leave=False,
        disable=not shows_bars(),
        dynamic_ncols=True,
        bar_format="{desc} |{bar}| {n_fmt}/{total_fmt} done",
    )


def say_once(text: str, about: str | None = None) -> None:
    """Log ``text``, redacted, the first time only; once for all texts of the same ``about``.

    A program that has not configured its logging, which would drop it, gets it as a warning.
    """
    if (about or text) not in _logged:
        _logged.add(about or text)
        log.log(logging.INFO if log.isEnabledFor(logging.INFO) else logging.WARNING, redact_text(text))


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number and what is counted: ``1 seed``, ``1,200 faces``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def aligned(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Return a line for each row, two spaces between columns; those numbered in ``left`` are set left, others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def first_line(error: BaseException) -> str:
    """Return an error's class and the first line of its text, redacted; a user's mistake without the class."""
    lines = redact_text(str(error).strip()).splitlines()[:1]
    return ": ".join([*_kind(error), *lines]) or type(error).__name__


def one_line(error: BaseException) -> str:
    """Return an error's class and all of its text as one line, redacted; a user's mistake without the class."""
    return " ".join(redact_text(": ".join([*_kind(error), str(error)])).split())


def _kind(error: BaseException) -> list[str]:
    return [] if isinstance(error, UserError) else [type(error).__name__]


def reason_of(error: BaseException) -> str:
    """An exception as one line, without secrets: its class and the first line of its text.

    Optuna's error of a storage says only that there was one; what it was is the error behind it, and behind
    SQLAlchemy's is the database's own.
    """
    if type(error).__name__ == "StorageInternalError" and error.__cause__ is not None:
        error = error.__cause__
    return first_line(getattr(error, "orig", None) or error)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that no space is left."""
    return any(isinstance(each, OSError) and each.errno in _FULL for each in _chain(error))


def full_disk_error(error: BaseException) -> RunsFailedError | None:
    """Return the user's one line where an error, or one that it came from, says that no space is left."""
    if not disk_is_full(error):
        return None
    files = [
        name
        for each in _chain(error)
        if isinstance(each, OSError)
        for name in (each.filename2, each.filename)
    ]
    file = next((str(name) for name in files if name), "")
    return RunsFailedError(
        f"{file}{': ' if file else ''}no space left on the disk; make room and run the same command again, a run that "
        "had begun with resume=true"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
