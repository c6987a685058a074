"""Keep credentials and home paths out of everything that is written."""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

MASK = "***"
# Not in compassion, passive, compass, secretary or tokenizer: classes and settings have such names.
_SECRET = (
    r"(?:password|passwd|secret(?!ar|ion|iv)|token(?!i[sz])|api_?key|credential|passphrase|private_?key)"
)
_PASS = r"(?<!com)(?<!by)pass(?![a-z])"
_SECRET_KEY = re.compile(rf"(?i){_SECRET}|{_PASS}")
# A git remote may hold a bare token, before the @ or before a colon: on the web a user's name hides with it.
_WEB_USER = re.compile(r"(?i)(?P<head>https?://)[^\s/?#'\"<>]+@")
# A database's user is no secret, its password is; it may hold a slash.
_URL_PASSWORD = re.compile(r"(?P<head>\b(?!(?i:https?):)[a-zA-Z][\w+.-]*://[^\s:/@]*):[^\s@]+@")
# A share, a count or a loss is no secret: a class may be called token.
_NUMBER = r"[-+]?\d{0,5}(?:\.\d+)?(?:e[-+]?\d+)?%?(?=[\s,;&'\"\])}]|$)"
# A variable's name is no secret. In quotes, a value may hold spaces; one that begins with a separator is none.
_VALUE = rf"(?!\$\{{oc\.env:\w+\}})(?:(['\"])(?!{_NUMBER})[^\s,;:&'\"\]}}][^'\"\n]*\2|(?!{_NUMBER})[^\s,;&'\"\]}}]+)"
# A pass is also an epoch's: in a sentence only the sign of an assignment makes it a secret.
_ASSIGNMENT = re.compile(rf"(?i)(?P<head>[\w.]*(?:{_SECRET}\w*\s*[=:]|{_PASS}\w*=)\s*){_VALUE}")


def _secret_values() -> list[str]:
    """Return the values of the environment's secrets, longest first."""
    values = {value for key, value in os.environ.items() if _SECRET_KEY.search(key) and len(value) >= 8}
    return sorted(values, key=len, reverse=True)


class _Mask:
    """What is to be hidden, looked up once for the many texts of a configuration."""

    def __init__(self) -> None:
        self.secrets = _secret_values()
        self.home = str(Path.home())
        self.home_path = re.compile(re.escape(self.home) + r"(?=/|$|[\s'\":,)\]])")

    def text(self, text: str) -> str:
        for value in self.secrets:
            text = text.replace(value, MASK)
        # Most texts hold none of these signs, and the searches cost far more than looking for the signs.
        if "://" in text:
            text = _WEB_USER.sub(rf"\g<head>{MASK}@", text)
            text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
        if "=" in text or ":" in text:
            text = redact_assignments(text)
        if len(self.home) > 1 and self.home in text:
            text = self.home_path.sub("~", text)
        return text

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: _hide(item) if isinstance(key, str) and _SECRET_KEY.search(key) else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        if isinstance(value, (str, Path)):
            return self.text(str(value))
        return value


def _hide(value: Any) -> Any:
    """Return what stands under a secret's name without texts and long numbers; a metric may have such a name."""
    if isinstance(value, dict):
        return {key: _hide(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(item) for item in value]
    return value if value is None or isinstance(value, (bool, float)) or value in range(100_000) else MASK


def redact_assignments(text: str) -> str:
    """Return ``text`` without what is assigned to a secret's name."""
    return _ASSIGNMENT.sub(rf"\g<head>{MASK}", text)


def redact_text(text: str) -> str:
    """Return ``text`` without credentials in URLs, secret assignments, the environment's secrets and the home path."""
    return _Mask().text(text)


def redact(value: Any) -> Any:
    """Return a copy of nested plain values in which no text and no secret key's value can leak."""
    return _Mask().value(value)


class RedactingFormatter(logging.Formatter):
    """A logging formatter whose lines, tracebacks included, are redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """Format ``record`` as usual, then redact the whole text."""
        return redact_text(super().format(record))


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
    for name in ("stdout", "stderr"):
        stream = RedactingStream(getattr(sys, name))
        setattr(sys, name, stream)
        atexit.register(stream.close)
