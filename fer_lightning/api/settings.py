"""Settings as Python has them, written as the overrides that the command line takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.compose import CONFIG_MODULE
from fer_lightning.config.flags import CommandLine, read_command_line
from fer_lightning.config.typed import uninterpolated
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import override

# An override as on the command line, or keys with their values; dotted keys and nested mappings are the same.
Setting: TypeAlias = str | Mapping[str, Any] | DictConfig
_ADDED = ("experiment",)  # groups that are chosen with a +


def read_settings(settings: Sequence[Setting], named: Mapping[str, Any]) -> CommandLine:
    """Return what a person would have typed.

    A text is read as on the command line; a value is itself, whatever characters it has. A group of the configuration
    takes the name of an option, a mapping with ``_target_`` for a part of one's own, or None for none.

    Raises
    ------
    ConfigError
        A value cannot be written, or a text is no override.
    """
    words: list[str] = []
    for setting in (*settings, named):
        if isinstance(setting, str):
            words.append(setting)
            continue
        if isinstance(setting, DictConfig):
            setting = OmegaConf.to_container(setting, resolve=True)  # type: ignore[assignment]
        if not isinstance(setting, Mapping):
            raise ConfigError(
                f"{setting!r}: {type(setting).__name__}; expected an override such as 'model=cnn', or keys with values"
            )
        words += [word for key, value in setting.items() for word in _words(str(key), value)]
    line = read_command_line(words)
    if line.flags and line.flags[0] != "--config-dir":
        raise ConfigError(f"{line.flags[0]}: is a flag of the command line; expected key=value")
    return line


def _words(key: str, value: Any) -> Iterator[str]:
    group = _is_group(key)
    if isinstance(value, DictConfig):
        value = OmegaConf.to_container(value, resolve=True)
    if isinstance(value, Mapping) and value and "_target_" not in value:
        for name, item in value.items():
            yield from _words(f"{key}.{name}", item)
    elif group and value is None:
        yield f"~{key}"
    elif group and isinstance(value, Mapping) and (files(CONFIG_MODULE) / key / "custom.yaml").is_file():
        yield f"{key}=custom"  # which takes keys that the mapping does not list
        yield from (written(f"{key}.{name}", item) for name, item in value.items())
    elif group and isinstance(value, Mapping):
        yield from (f"~{key}", written(f"+{key}", value))
    elif isinstance(value, Mapping):
        yield written(f"++{key}", value)
    else:
        yield written(f"+{key}" if key in _ADDED else key, value)


def written(key: str, value: Any) -> str:
    """Return one override that sets exactly this value.

    Raises
    ------
    ConfigError
        The value is no number, text, path, class, list or mapping of these.
    """
    try:
        return override(key, _plain(value))
    except TypeError as error:
        raise ConfigError(f"{key.lstrip('+')}: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        return uninterpolated(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return _importable(value)
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _importable(target: Any) -> str:
    """Return the dotted name by which a class or function is found again, in other processes and from checkpoints."""
    name = f"{target.__module__}.{target.__qualname__}"
    if target.__module__ == "__main__" or "<" in name:
        raise ConfigError(
            f"{target.__qualname__}: is defined in {target.__module__ if '<' not in name else 'a function'}; expected "
            "one of a module, such as my_nets.Net, for checkpoints and other processes find it by its name"
        )
    return name


def _is_group(key: str) -> bool:
    return "." not in key and (files(CONFIG_MODULE) / key).is_dir()


def data_keys(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return keys of the data as the configuration has them: ``path`` as ``data.path``, nested ones with a dot."""
    found: dict[str, Any] = {}
    for key, value in (data or {}).items():
        name = key if key.startswith("data.") else f"data.{key}"
        if isinstance(value, Mapping):
            found |= data_keys({f"{name}.{within}": item for within, item in value.items()})
        else:
            found[name] = str(value) if isinstance(value, Path) else value
    return found
