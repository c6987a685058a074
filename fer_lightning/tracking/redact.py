"""Keep credentials and home paths out of everything that is written."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

MASK = "***"
_SECRET_KEY = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|api_?key|credential|private_?key)")
_URL_PASSWORD = re.compile(r"(?P<head>\b[a-zA-Z][\w+.-]*://[^\s:/@]*):[^\s@/]+@")
_ASSIGNMENT = re.compile(
    r"(?i)(?P<head>[\w.]*(?:password|passwd|secret|token|api_?key|credential)[\w]*\s*[=:]\s*)[^\s,;&'\"\]}]+"
)


def _secret_values() -> list[str]:
    """Return the values of the environment's secrets, longest first."""
    values = {value for key, value in os.environ.items() if _SECRET_KEY.search(key) and len(value) >= 8}
    return sorted(values, key=len, reverse=True)


def redact_text(text: str) -> str:
    """Return ``text`` without passwords in URLs, secret assignments, the environment's secrets and the home path."""
    for value in _secret_values():
        text = text.replace(value, MASK)
    text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
    text = _ASSIGNMENT.sub(rf"\g<head>{MASK}", text)
    home = str(Path.home())
    if len(home) > 1:
        text = re.sub(re.escape(home) + r"(?=/|$|[\s'\":,)\]])", "~", text)
    return text


def redact(value: Any) -> Any:
    """Return a copy of nested plain values in which no text and no secret key's value can leak."""
    if isinstance(value, dict):
        return {
            key: MASK
            if item is not None and isinstance(key, str) and _SECRET_KEY.search(key)
            else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    if isinstance(value, (str, Path)):
        return redact_text(str(value))
    return value


class RedactingFormatter(logging.Formatter):
    """A logging formatter whose lines, tracebacks included, are redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """Format ``record`` as usual, then redact the whole text."""
        return redact_text(super().format(record))
