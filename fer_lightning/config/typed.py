"""What is typed: the one place that tells Hydra's syntax from plain values, for experiments and commands alike.

A shell hands over any text. Hydra's grammar reads most of it, and some of it as something else: ``a,b`` as a sweep,
``2024`` as a number, ``archive (1).zip`` not at all. Here a word becomes an override that Hydra reads as was meant:

- what names an existing file or folder is its path;
- free text (a note, a name, a tag) is text, but for quotes, lists, interpolations and sweeps that are written out;
- what the grammar cannot read is a value as it stands, lists and sweeps of existing paths included.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from hydra.utils import get_original_cwd

from fer_lightning.errors import ConfigError

PATH_KEYS: Final = frozenset(
    {"path", "checkpoint", "output", "teacher", "resume", "dir", "storage", "weights", "image"}
)
TEXT_KEYS: Final = frozenset({"note", "name", "study_name", "project", "entity", "group", "tags", "title"})
_LISTED: Final = re.compile(r"\[(?P<items>.+)\]", re.DOTALL)


def as_override(word: str) -> str:
    """Return a word of the command line as an override that Hydra reads as it was meant.

    Raises
    ------
    ConfigError
        The word has a value, but what stands before it is no key.
    """
    key, equals, value = word.partition("=")
    if not equals or key.startswith("~"):
        return word
    if not key or _read(key, "0") is None:
        closer = key.strip().lstrip("-")
        hint = (
            f"{closer}={value.strip()}"
            if closer and _read(closer, "0")
            else "key=value, such as data.path=faces"
        )
        raise ConfigError(f"{word}: {key!r} is no key; expected {hint}")
    name = re.split(r"[./@:]", key)[-1].lstrip("+")
    read = _read(key, value)
    if _is_meant(name, value, read):
        return word
    if read is None or isinstance(read.value(), ChoiceSweep):
        for form, texts in ((_LISTED, "[{}]"), (None, "{}")):
            match = form.fullmatch(value) if form else None
            parts = (match["items"] if match else value).split(",")
            if (match or not form) and len(parts) > 1 and all(_exists(part.strip()) for part in parts):
                return f"{key}={texts.format(','.join(quoted(part.strip()) for part in parts))}"
    return f"{key}={quoted(value)}"


def key_and_value(word: str, *, is_name: bool = False) -> tuple[str, Any]:
    """Return the key and the value of a command's ``key=value``, which no configuration resolves further.

    Where one name ``is_name`` expected, such as an output's, any text is one but for quotes, null and lists.

    Raises
    ------
    ConfigError
        The word is no ``key=value``.
    """
    written = as_override(word)
    key, _, text = word.partition("=")
    if written == f"{key}={quoted(text)}":
        return key, text
    override = _read(*written.partition("=")[::2])
    in_quotes = text[:1] in ("'", '"') and text[:1] == text[-1:]
    if (
        is_name
        and override is not None
        and not (in_quotes or isinstance(override.value(), list | dict | None))
    ):
        return key, text
    if override is None or override.is_sweep_override():
        raise ConfigError(f"{word}: expected one value, or several as {key}=[a,b]")
    return key, override.value()


def uninterpolated(text: str) -> str:
    """Return a text such that OmegaConf reads exactly that text, with nothing put in for ``${…}``."""
    return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)


def quoted(text: str) -> str:
    """Return a text in quotes, such that Hydra and OmegaConf read exactly that text."""
    return QuotedString(text=uninterpolated(text), quote=Quote.single).with_quotes()


def typed_path(text: str | Path) -> Path:
    """Return the path that a text names: ``~`` is the home folder, and a relative one begins where it was typed.

    With ``hydra.job.chdir=true`` a job runs in its own folder.
    """
    path = Path(os.path.expanduser(text))  # pathlib would take ./~ for the home folder
    if path.is_absolute() or not HydraConfig.initialized():
        return path
    typed_in = get_original_cwd()
    return path if typed_in == os.getcwd() else typed_in / path


def shown(folder: Path) -> str:
    """Return a folder as a person would name it: relative to where the command was typed, if it lies within."""
    here = typed_path(".").resolve()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _read(key: str, value: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(f"{key}={value}")
    except HydraException:
        return None


def _is_meant(name: str, value: str, read: Override | None) -> bool:
    """Whether what Hydra reads is what was meant."""
    if read is None:
        return False
    found = read.value()
    if found is None or value == "":
        return True
    if name in TEXT_KEYS:
        if isinstance(found, ChoiceSweep) and found.simple_form:
            return False
        in_quotes = isinstance(found, str) and value[0] == value[-1] and value[0] in "'\""
        written_out = read.is_sweep_override() or isinstance(found, list | dict) or "${" in value
        return in_quotes or written_out or found == value
    if isinstance(found, bool):
        return name not in PATH_KEYS or name == "resume" or not _exists(value)
    if isinstance(found, int | float):
        return name not in PATH_KEYS  # a file called 3 does not make seed=3 a path
    return not _exists(value) or (found == value and "${" not in value)


def _exists(path: str) -> bool:
    try:
        return bool(path) and os.path.lexists(os.path.expanduser(path))
    except (OSError, ValueError):
        return False
