"""Writing Hydra overrides: `key=value` texts that are read back as exactly that value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.\-]*")
_WORDS = {"null", "true", "false", "nan", "inf"}


def override(key: str, value: Any) -> str:
    """One override, such as ``model.activation=selu``."""
    return f"{key}={element(value)}"


def element(value: Any) -> str:
    """A value in Hydra's override grammar; texts that could be taken for something else are quoted.

    Raises
    ------
    TypeError
        If the value is neither a scalar, a list nor a mapping.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else QuotedString(text=value, quote=Quote.single).with_quotes()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{element(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(element(v) for v in value) + "]"
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be written as an override")


def key_of(text: str) -> str:
    """Return the key or group that an override sets, without `+` and `~`; two packages of a group are two keys."""
    return text.split("=", 1)[0].lstrip("+~")


def node_of(key: str) -> str:
    """Return the dotted key under which a key or the option of a group stands in the configuration."""
    group, _, package = key.partition("@")
    return package.rsplit(":", 1)[-1] if package else group.replace("/", ".")
