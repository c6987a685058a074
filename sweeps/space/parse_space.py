"""Reading a search space from its configuration; every mistake is named in one line."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import element
from fer_lightning.sweeps.space.search_space import Parameter, SearchSpace

_FIELDS = {
    "float": {"low", "high", "log", "step"},
    "int": {"low", "high", "log", "step"},
    "categorical": {"choices"},
}


def parse_space(config: Mapping[str, Any] | None) -> SearchSpace:
    """Read a search space from its configuration.

    Parameters
    ----------
    config
        A mapping from names to entries; `key`, the configuration key to set, is the name unless given::

            {name: {key, type: float|int|categorical, low, high, log, step, choices,
                    when: {key: value or list}}}

    Raises
    ------
    ConfigError
        Naming the key and field that is wrong.
    """
    if config is None:
        return SearchSpace(())
    if not isinstance(config, Mapping):
        raise ConfigError(f"search_space={config!r}: expected a mapping from names to ranges")
    parameters = [parse_parameter(str(name), node) for name, node in config.items() if node is not None]
    return SearchSpace(in_order(parameters))


def parse_parameter(name: str, node: Any, place: str = "search_space") -> Parameter:
    """Read one entry of a search space; see `parse_space`. `place` is the key that messages begin with."""
    where = f"{place}.{name}"
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where}={node!r}: expected a mapping such as {{type: float, low: 0, high: 1}}")
    options = dict(node)
    key = options.pop("key", name)
    kind = options.pop("type", "categorical" if "choices" in options else None)
    if kind not in _FIELDS:
        raise ConfigError(f"{where}.type={kind!r}: expected float, int or categorical")
    when = options.pop("when", None) or {}
    if not isinstance(when, Mapping):
        raise ConfigError(f"{where}.when={when!r}: expected a mapping from keys to values")
    conditions = {str(k): tuple(v) if isinstance(v, (list, tuple)) else (v,) for k, v in when.items()}
    unknown = set(options) - _FIELDS[kind]
    if unknown:
        raise ConfigError(
            f"{where}.{min(unknown)}: not known for type {kind}; expected {sorted(_FIELDS[kind])}"
        )
    if kind == "categorical":
        distribution, values = _categorical(where, options)
        return Parameter(name, key, distribution, conditions, values)
    return Parameter(name, key, _numeric(where, kind, options), conditions)


def _categorical(where: str, options: dict[str, Any]) -> tuple[CategoricalDistribution, dict[str, Any]]:
    choices = options.get("choices")
    if not isinstance(choices, (list, tuple)) or not choices:
        raise ConfigError(f"{where}.choices={choices!r}: expected a list with at least one value")
    values = {element(choice): choice for choice in choices if isinstance(choice, (list, tuple, Mapping))}
    labels = [element(c) if isinstance(c, (list, tuple, Mapping)) else c for c in choices]
    twice = [a for a, b in itertools.combinations(labels, 2) if a == b and type(a) is type(b)]
    if twice:
        raise ConfigError(f"{where}.choices: {twice[0]!r} is listed twice")
    return CategoricalDistribution(tuple(labels)), values


def _numeric(where: str, kind: str, options: dict[str, Any]) -> BaseDistribution:
    for end in ("low", "high"):
        value = options.get(end)
        wanted = (int,) if kind == "int" else (int, float)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ConfigError(f"{where}.{end}={value!r}: expected {kind}")
    try:
        if kind == "int":
            return IntDistribution(**{"step": 1, **options})
        return FloatDistribution(**options)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {str(error).splitlines()[0]}") from error


def in_order(parameters: list[Parameter]) -> tuple[Parameter, ...]:
    """Put every parameter behind the ones whose keys its conditions name.

    Raises
    ------
    ConfigError
        If the conditions form a circle.
    """
    waiting = list(parameters)
    ordered: list[Parameter] = []
    while waiting:
        keys = {parameter.target for parameter in waiting}
        ready = [parameter for parameter in waiting if not keys & set(parameter.conditions)]
        if not ready:
            raise ConfigError(f"search_space.{waiting[0].name}.when: the conditions form a circle")
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return tuple(ordered)
