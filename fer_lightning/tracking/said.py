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
    """Return an error as one redacted line."""
    return redact_text(f"{type(error).__name__}: {error}".splitlines()[0])
