"""Reading a search space from its configuration; every mistake is named in one line."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Field

from fer_lightning.config.values import Count, Positive, check_keys, check_value, one_of
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import element
from fer_lightning.sweeps.space.search_space import Parameter, SearchSpace

_FIELDS: dict[str, dict[str, Any]] = {
    "float": {"low": float, "high": float, "log": bool, "step": Positive | None},
    "int": {"low": int, "high": int, "log": bool, "step": Count},
    "categorical": {"choices": Annotated[list[Any], Field(min_length=1)]},
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
    check_value(kind, one_of(_FIELDS), f"{where}.type")
    when = options.pop("when", None) or {}
    check_value(when, dict, f"{where}.when")
    conditions = {str(k): tuple(v) if isinstance(v, (list, tuple)) else (v,) for k, v in when.items()}
    missing = dict.fromkeys({"low", "high", "choices"} & _FIELDS[kind].keys() - options.keys())
    check_keys(options | missing, _FIELDS[kind], f"{where}.")
    if kind == "categorical":
        distribution, values = _categorical(where, options)
        return Parameter(name, key, distribution, conditions, values)
    return Parameter(name, key, _numeric(where, kind, options), conditions)


def _categorical(where: str, options: dict[str, Any]) -> tuple[CategoricalDistribution, dict[str, Any]]:
    choices = options["choices"]
    values = {element(choice): choice for choice in choices if isinstance(choice, (list, tuple, Mapping))}
    labels = [element(c) if isinstance(c, (list, tuple, Mapping)) else c for c in choices]
    twice = [a for a, b in itertools.combinations(labels, 2) if a == b and type(a) is type(b)]
    if twice:
        raise ConfigError(f"{where}.choices: {twice[0]!r} is listed twice")
    return CategoricalDistribution(tuple(labels)), values


def _numeric(where: str, kind: str, options: dict[str, Any]) -> BaseDistribution:
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
