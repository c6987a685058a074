"""Arguments of the commands: ``key=value`` as in Hydra, every key known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from pydantic import Field

from fer_lightning.config.values import Name, check_keys, hints_of
from fer_lightning.errors import ConfigError

Checkpoints = Annotated[Name | list[Name], Field(description="a checkpoint, or several as checkpoint=[a,b]")]


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
    parser = OverridesParser.create()
    for word in arguments:
        if "=" not in word:
            raise ConfigError(f"{word}: expected key=value; the keys are {', '.join(values)}")
        try:
            override = parser.parse_override(word)
        except HydraException as error:
            raise ConfigError(f"{word}: {' '.join(str(error).split())}") from error
        key, value = override.key_or_group, override.value()
        if override.is_sweep_override():
            raise ConfigError(f"{word}: expected one value, or several as {key}=[a,b]")
        if key not in expected and key.startswith(tuple(prefixes)):
            more[key] = value
            continue
        if type(value) in (int, float) and expected.get(key) in (Name, Name | None):
            value = word.partition("=")[2]  # a name of digits
        check_keys({key: value}, expected)
        values[key] = value
    return values, more


def split_arguments(arguments: Sequence[str], keys: Any) -> tuple[dict[str, Any], list[str]]:
    """Take a command's own ``key=value`` words; the others are overrides of the configuration, as they stand."""
    own = [word for word in arguments if word.split("=", 1)[0] in hints_of(keys)]
    values, _ = parse_arguments(own, keys)
    return values, [word for word in arguments if word not in own]
