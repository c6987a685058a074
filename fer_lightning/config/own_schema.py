"""Top-level keys of somebody else, declared by a dataclass or a TypedDict that the key ``schema`` names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from inspect import isclass
from typing import Any, is_typeddict

from fer_lightning.config.signatures import find_target
from fer_lightning.config.values import hints_of
from fer_lightning.errors import ConfigError, nearest


def own_hints(values: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return what each own key takes; nothing where ``values`` name no schema.

    Parameters
    ----------
    values
        The configuration as plain values.
    known
        The project's top-level keys.

    Raises
    ------
    ConfigError
        The schema is none, has one of the project's keys, or a key of it without a default is not there; or a top-level
        key is in neither.
    """
    name = values.get("schema")
    hints: dict[str, Any] = {}
    if isinstance(name, str):
        kind: Any = find_target(name, "schema")
        declares = isclass(kind) and (is_dataclass(kind) or is_typeddict(kind))
        if not declares:
            raise ConfigError(f"schema={name}: expected a dataclass or a TypedDict of top-level keys")
        try:
            hints = dict(hints_of(kind))
        except (NameError, TypeError) as error:
            raise ConfigError(f"schema={name}: its annotations cannot be read ({error})") from error
        for key in hints:
            if key in known:
                raise ConfigError(f"schema={name}: {key} is a key of the project; expected other names")
        for key in _required(kind):
            if key not in values:
                raise ConfigError(f"{key}: has no value; expected +{key}=…, which schema={name} requires")
    for key in values:
        if key not in known and key not in hints:
            where = f"schema={name} does not declare it" if name else "keys of your own need schema=my.Config"
            raise ConfigError(f"{key}: no such key; {nearest(key, [*known, *hints])} ({where})")
    return hints


def _required(kind: Any) -> Collection[str]:
    if is_typeddict(kind):
        keys: frozenset[str] = kind.__required_keys__
        return sorted(keys)
    return [each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING]
