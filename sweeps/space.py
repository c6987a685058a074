"""Search spaces: which configuration keys are searched, over what, and under which condition."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.override import element, override

Lookup = Callable[[str], Any]
_FIELDS = {
    "float": {"low", "high", "log", "step"},
    "int": {"low", "high", "log", "step"},
    "categorical": {"choices"},
}


@dataclass(frozen=True)
class Parameter:
    """One searched key.

    `conditions` maps other keys to the values under which this one exists; `values` maps the label of a choice that is
    no scalar (a list, say) to the choice itself.
    """

    key: str
    distribution: BaseDistribution
    conditions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def applies(self, chosen: Mapping[str, Any], fixed: Lookup) -> bool:
        """Whether the conditions hold for what was chosen so far and, for other keys, for the fixed configuration."""
        return all(
            (chosen[key] if key in chosen else fixed(key)) in allowed
            for key, allowed in self.conditions.items()
        )

    def override(self, value: Any) -> str:
        """The override that sets the key to a suggested value."""
        return override(self.key, self.values.get(value, value) if isinstance(value, str) else value)

    def candidates(self) -> list[Any] | None:
        """Every value in order; None if there are infinitely many."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return list(choices)
            case IntDistribution(log=False) as ints:
                return list(range(ints.low, ints.high + 1, ints.step))
            case FloatDistribution(step=float(step)) as floats:
                count = round((floats.high - floats.low) / step) + 1
                return [min(floats.low + index * step, floats.high) for index in range(count)]
        return None


@dataclass(frozen=True)
class SearchSpace:
    """The searched parameters, each after those that its conditions name."""

    parameters: tuple[Parameter, ...]

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def keys(self) -> list[str]:
        """The searched configuration keys."""
        return [parameter.key for parameter in self.parameters]

    def without(self, keys: set[str]) -> SearchSpace:
        """The space that is left when some keys are fixed."""
        return SearchSpace(tuple(p for p in self.parameters if p.key not in keys))

    def suggest(self, trial: Trial, fixed: Lookup) -> list[str]:
        """Draw a value for every parameter that applies; return the overrides."""
        chosen: dict[str, Any] = {}
        overrides = []
        for parameter in self.parameters:
            if parameter.applies(chosen, fixed):
                chosen[parameter.key] = _suggest(trial, parameter)
                overrides.append(parameter.override(chosen[parameter.key]))
        return overrides

    def points(self, fixed: Lookup) -> Iterator[dict[str, Any]]:
        """Every point of a finite space, conditions observed.

        Raises
        ------
        ConfigError
            If a parameter has infinitely many values.
        """
        yield from self._points(0, {}, fixed)

    def _points(self, depth: int, chosen: dict[str, Any], fixed: Lookup) -> Iterator[dict[str, Any]]:
        if depth == len(self.parameters):
            yield dict(chosen)
            return
        parameter = self.parameters[depth]
        if not parameter.applies(chosen, fixed):
            yield from self._points(depth + 1, chosen, fixed)
            return
        for value in _finite(parameter):
            yield from self._points(depth + 1, {**chosen, parameter.key: value}, fixed)

    def grid(self) -> dict[str, list[Any]]:
        """Every value of each parameter, for a grid sampler.

        Raises
        ------
        ConfigError
            If a parameter is conditional or has infinitely many values.
        """
        conditional = [parameter.key for parameter in self.parameters if parameter.conditions]
        if conditional:
            raise ConfigError(
                f"search_space.{conditional[0]}: a grid cannot hold a conditional parameter; use sampler=brute_force"
            )
        return {parameter.key: _finite(parameter) for parameter in self.parameters}

    def as_config(self) -> dict[str, Any]:
        """A plain description, by which two spaces are compared."""
        return {
            p.key: {
                "type": type(p.distribution).__name__.removesuffix("Distribution").lower(),
                **{k: list(v) if isinstance(v, tuple) else v for k, v in p.distribution._asdict().items()},
                **({"when": {k: list(v) for k, v in p.conditions.items()}} if p.conditions else {}),
            }
            for p in self.parameters
        }


def _suggest(trial: Trial, parameter: Parameter) -> Any:
    match parameter.distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(parameter.key, choices)
        case IntDistribution() as d:
            return trial.suggest_int(parameter.key, d.low, d.high, step=d.step, log=d.log)
        case FloatDistribution() as d:
            return trial.suggest_float(parameter.key, d.low, d.high, step=d.step, log=d.log)
    raise AssertionError(parameter.distribution)


def _finite(parameter: Parameter) -> list[Any]:
    candidates = parameter.candidates()
    if candidates is None:
        raise ConfigError(
            f"search_space.{parameter.key}: a grid needs finitely many values: give choices, or a step without log"
        )
    return candidates


def parse_space(config: Mapping[str, Any] | None) -> SearchSpace:
    """Read a search space from its configuration.

    Parameters
    ----------
    config
        ``{key: {type: float|int|categorical, low, high, log, step, choices, when: {key: value or list}}}``.

    Raises
    ------
    ConfigError
        Naming the key and field that is wrong.
    """
    if config is None:
        return SearchSpace(())
    if not isinstance(config, Mapping):
        raise ConfigError(f"search_space={config!r}: expected a mapping from configuration keys to ranges")
    parameters = [parse_parameter(str(key), node) for key, node in config.items() if node is not None]
    return SearchSpace(_in_order(parameters))


def parse_parameter(key: str, node: Any) -> Parameter:
    """Read one entry of a search space; see `parse_space`."""
    if not isinstance(node, Mapping):
        raise ConfigError(
            f"search_space.{key}={node!r}: expected a mapping such as {{type: float, low: 0, high: 1}}"
        )
    options = dict(node)
    kind = options.pop("type", "categorical" if "choices" in options else None)
    if kind not in _FIELDS:
        raise ConfigError(f"search_space.{key}.type={kind!r}: expected float, int or categorical")
    when = options.pop("when", None) or {}
    if not isinstance(when, Mapping):
        raise ConfigError(f"search_space.{key}.when={when!r}: expected a mapping from keys to values")
    conditions = {str(k): tuple(v) if isinstance(v, (list, tuple)) else (v,) for k, v in when.items()}
    unknown = set(options) - _FIELDS[kind]
    if unknown:
        raise ConfigError(
            f"search_space.{key}.{min(unknown)}: not known for type {kind}; expected {sorted(_FIELDS[kind])}"
        )
    if kind == "categorical":
        distribution, values = _categorical(key, options)
        return Parameter(key, distribution, conditions, values)
    return Parameter(key, _numeric(key, kind, options), conditions)


def _categorical(key: str, options: dict[str, Any]) -> tuple[CategoricalDistribution, dict[str, Any]]:
    choices = options.get("choices")
    if not isinstance(choices, (list, tuple)) or not choices:
        raise ConfigError(f"search_space.{key}.choices={choices!r}: expected a list with at least one value")
    values = {element(choice): choice for choice in choices if isinstance(choice, (list, tuple, Mapping))}
    labels = [element(c) if isinstance(c, (list, tuple, Mapping)) else c for c in choices]
    twice = [a for a, b in itertools.combinations(labels, 2) if a == b and type(a) is type(b)]
    if twice:
        raise ConfigError(f"search_space.{key}.choices: {twice[0]!r} is listed twice")
    return CategoricalDistribution(tuple(labels)), values


def _numeric(key: str, kind: str, options: dict[str, Any]) -> BaseDistribution:
    for name in ("low", "high"):
        value = options.get(name)
        wanted = (int,) if kind == "int" else (int, float)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ConfigError(f"search_space.{key}.{name}={value!r}: expected {kind}")
    try:
        if kind == "int":
            return IntDistribution(**{"step": 1, **options})
        return FloatDistribution(**options)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"search_space.{key}: {str(error).splitlines()[0]}") from error


def _in_order(parameters: list[Parameter]) -> tuple[Parameter, ...]:
    """Put every parameter behind the ones that its conditions name."""
    waiting = {parameter.key: parameter for parameter in parameters}
    ordered: list[Parameter] = []
    while waiting:
        ready = [p for p in waiting.values() if not any(key in waiting for key in p.conditions)]
        if not ready:
            raise ConfigError(f"search_space.{min(waiting)}.when: the conditions form a circle")
        ordered.append(ready[0])
        del waiting[ready[0].key]
    return tuple(ordered)
