"""Arguments of the commands: ``key=value`` as in Hydra, every key known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from fer_lightning.errors import ConfigError, nearest


def parse_arguments(
    arguments: Sequence[str], known: Mapping[str, Any], prefixes: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read ``key=value`` words.

    Parameters
    ----------
    arguments
        The words after the command.
    known
        The command's keys and their defaults.
    prefixes
        Further keys are passed on if they begin with one of these, such as ``data.``.

    Returns
    -------
    tuple
        The command's values, with defaults; and the values of the further keys.

    Raises
    ------
    ConfigError
        A word is no ``key=value``, or its key is not known.
    """
    values, more = dict(known), {}
    parser = OverridesParser.create()
    for word in arguments:
        if "=" not in word:
            raise ConfigError(f"{word}: expected key=value; the keys are {', '.join(known)}")
        try:
            override = parser.parse_override(word)
        except HydraException as error:
            raise ConfigError(f"{word}: {' '.join(str(error).split())}") from error
        key, value = override.key_or_group, override.value()
        if key in known:
            values[key] = value
        elif key.startswith(tuple(prefixes)):
            more[key] = value
        else:
            raise ConfigError(f"{key}: no such key; {nearest(key, known)}")
    return values, more


def split_arguments(arguments: Sequence[str], known: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Take a command's own ``key=value`` words; the others are overrides of the configuration, as they stand."""
    own = [word for word in arguments if word.split("=", 1)[0] in known]
    values, _ = parse_arguments(own, known)
    return values, [word for word in arguments if word not in own]


def set_threads(threads: Any) -> None:
    """Compute with so many threads of the processor, or with as many as torch chooses for ``None``.

    Raises
    ------
    ConfigError
        ``threads`` is not a whole number of at least 1.
    """
    if threads is None:
        return
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ConfigError(f"threads={threads}: expected a whole number of at least 1")
    torch.set_num_threads(threads)
