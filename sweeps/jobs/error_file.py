"""A failed trial's traceback, in a file of its folder."""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path

from fer_lightning.redact import redact_text

ERROR_FILE = "error.txt"


def keep_traceback(folder: Path, error: Exception) -> None:
    """Write an error with its traceback, without secrets, into a trial's folder."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(traceback.format_exception(error))
        (folder / ERROR_FILE).write_text(redact_text(text), encoding="utf-8")
