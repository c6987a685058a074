"""Arguments of the commands: ``key=value`` as in Hydra, every key known, and help with an example."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field

from fer_lightning.config.expectation import expectation
from fer_lightning.config.flags import FLAGS, read_command_line
from fer_lightning.config.typed import PATH_KEYS, key_and_value
from fer_lightning.config.values import Name, check_keys, hints_of
from fer_lightning.errors import ConfigError
from fer_lightning.messages import aligned
from fer_lightning.runs.files import require_writable

Checkpoints = Annotated[Name | list[Name], Field(description="a checkpoint, or several as checkpoint=[a,b]")]


REQUIRED: Any = ""  # in place of a default: the command says what it expects where the key is not given
FileName = Annotated[Name, "a file, not a folder"]  # of an `output`
_NAMES = (Name, Name | None, FileName, FileName | None)


def parse_arguments(
    arguments: Sequence[str], keys: Any, prefixes: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read ``key=value`` words.

    Parameters
    ----------
    arguments
        The words after the command.
    keys
        A dataclass: the command's keys, what each takes, and their defaults.
    prefixes
        Further keys are passed on if they begin with one of these, such as ``data.``.

    Returns
    -------
    tuple
        The command's values, with defaults; and the values of the further keys.

    Raises
    ------
    ConfigError
        A word is no ``key=value``, its key is not known, or its value is not what the key takes.
    """
    values, more = vars(keys()), {}
    expected = hints_of(keys)
    for word in arguments:
        if "=" not in word:
            raise ConfigError(f"{word}: expected key=value; the keys are {', '.join(values)}")
        key = word.partition("=")[0]
        value = key_and_value(word, is_name=expected.get(key) in _NAMES)[1]
        if key not in expected and key.startswith(tuple(prefixes)):
            more[key] = value
            continue
        check_keys({key: value}, expected)
        values[key] = _at_home(value) if key in PATH_KEYS else value
        if key == "output" and value is not None:
            require_writable(value, key, is_file=expected[key] in (FileName, FileName | None))
    return values, more


def take_place(
    arguments: Sequence[str], keys: Any, usage: str, prefixes: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """Take the one word that is no ``key=value``, the folder that the command is about; return it and the others.

    Raises
    ------
    ConfigError
        There is no such word, or there are several; the message begins with ``usage``.
    """
    own = [word for word in arguments if has_key(word, keys, prefixes)]
    others = [word for word in arguments if word not in own]
    # A folder may be called lr=0.1; what has another key and is no folder is a mistake in the key.
    places = [
        word
        for word in others
        if "=" not in word or "://" in word or os.path.exists(os.path.expanduser(word))
    ]
    if len(places) != 1:
        found = f", not {' and '.join(places)}" if places else ""
        raise ConfigError(f"{usage}{found}")
    return os.path.expanduser(places[0]), [word for word in arguments if word != places[0]]


def split_arguments(arguments: Sequence[str], keys: Any) -> tuple[dict[str, Any], list[str]]:
    """Take a command's own ``key=value`` words; the others are overrides of the configuration, as Hydra reads them.

    Raises
    ------
    ConfigError
        There is a flag beside ``--config-dir``, or a word is not what its key takes.
    """
    own = [word for word in arguments if has_key(word, keys)]
    values = {} if keys is None else parse_arguments(own, keys)[0]
    line = read_command_line([word for word in arguments if word not in own])
    others = [flag for flag in line.flags if flag in FLAGS and flag != "--config-dir"]
    if others:
        raise ConfigError(f"{others[0]}: is a flag of experiments; expected key=value or --config-dir DIR")
    return values, line.overrides


def help_text(command: str, module: ModuleType) -> str:
    """Return what ``COMMAND --help`` prints: usage, what is written, the keys with what they take, an example."""
    usage = (module.__doc__ or "").split("``")[1]
    does = (module.main.__doc__ or "").strip().replace("``", "").splitlines()
    lines = [f"  {usage}", "", *map(str.strip, does)]
    keys = getattr(module, "Keys", None)
    if keys is not None:
        hints = hints_of(keys)
        rows = [
            (f"  {item.name}={_typed(item.default)}", expectation(hints[item.name])) for item in fields(keys)
        ]
        lines += ["", "Keys, with their defaults:", *aligned(rows, left=(0, 1))]
    return "\n".join([*lines, "", "Example:", f"  python -m fer_lightning {command} {module.EXAMPLE}"])


def has_key(word: str, keys: Any, prefixes: Sequence[str] = ()) -> bool:
    """Whether a word sets one of a command's keys, or one that begins with a prefix."""
    key, equals, _ = word.partition("=")
    known = {} if keys is None else hints_of(keys)
    return bool(equals) and (key in known or (bool(prefixes) and key.startswith(tuple(prefixes))))


def _typed(value: Any) -> str:
    if value == REQUIRED:
        return "…"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _at_home(value: Any) -> Any:
    if isinstance(value, list):
        return [_at_home(item) for item in value]
    return os.path.expanduser(value) if isinstance(value, str) else value
