"""Messages that a study of a hundred runs needs to hear once."""

from __future__ import annotations

import logging

from fer_lightning.tracking.redact import redact_text

log = logging.getLogger(__name__)
_said: set[str] = set()


def say_once(text: str) -> None:
    """Log ``text``, redacted, the first time only."""
    if text not in _said:
        _said.add(text)
        log.info(redact_text(text))


def first_line(error: BaseException) -> str:
    """Return an error's class and the first line of its text, redacted."""
    text = redact_text(str(error).strip())
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def one_line(error: BaseException) -> str:
    """Return an error's class and all of its text as one line, redacted."""
    return " ".join(redact_text(f"{type(error).__name__}: {error}").split())
