"""A text stream whose lines are redacted, for output that is kept in a file."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from fer_lightning.tracking.redact import redact_text


class RedactingStream:
    """Passes whole lines on to another stream, redacted; what is no write is the other stream's.

    Parameters
    ----------
    stream
        Where the lines go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """Take text; a secret may come in pieces, so nothing is passed on before its line is whole."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._stream.write(redact_text(line) + "\n")
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Take several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on the lines that are whole."""
        self._stream.flush()

    def close(self) -> None:
        """Pass on what is left."""
        if self._begun:
            self._stream.write(redact_text(self._begun))
            self._begun = ""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redact_output() -> None:
    """Redact everything that this process prints from now on."""
    import atexit

    for name in ("stdout", "stderr"):
        stream = RedactingStream(getattr(sys, name))
        setattr(sys, name, stream)
        atexit.register(stream.close)
