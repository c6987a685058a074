"""Why something failed, in one line."""

from __future__ import annotations

import errno

from optuna.exceptions import StorageInternalError

from fer_lightning.tracking.said import first_line


def reason_of(error: BaseException) -> str:
    """An exception as one line, without secrets: its class and the first line of its text.

    Optuna's error of a storage says only that there was one; what it was is the error behind it, and behind
    SQLAlchemy's is the database's own.
    """
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    return first_line(getattr(error, "orig", None) or error)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that no space is left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
