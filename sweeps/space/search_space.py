"""Search spaces: which configuration keys are searched, over what, and under which condition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import key_of, node_of, override

# Gives a key's value in the configuration, with the overrides that were given beside the command's.
Lookup = Callable[..., Any]


@dataclass(frozen=True)
class Parameter:
    """One searched key, under the name that Optuna knows it by.

    Two parameters may set the same key under conditions that exclude each other. `key` may begin with `+`, for a key
    that the configuration lacks. `conditions` maps other keys to the values under which this one exists; `values`
    maps the label of a choice that is no scalar (a list, say) to the choice itself.
    """

    name: str
    key: str
    distribution: BaseDistribution
    conditions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The key or group that it sets, as a condition or a message names it."""
        return key_of(self.key)

    def applies(self, chosen: Point, fixed: Lookup) -> bool:
        """Whether the conditions hold for what was chosen and, beyond that, for what is fixed."""
        return all(chosen.value(key, fixed) in allowed for key, allowed in self.conditions.items())

    def override(self, value: Any) -> str:
        """The override that sets the key to a suggested value."""
        return override(self.key, self.values.get(value, value) if isinstance(value, str) else value)

    def some_value(self) -> Any:
        """A value, for trying whether the key exists."""
        return (self.candidates() or [getattr(self.distribution, "low", None)])[0]

    def candidates(self) -> list[Any] | None:
        """Every value in order; None if there are infinitely many."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return list(choices)
            case IntDistribution(log=False) as ints:
                return list(range(ints.low, ints.high + 1, ints.step))
            case FloatDistribution(step=float(step)) as floats:
                count = round((floats.high - floats.low) / step) + 1
                # Rounded, for 0.1 + 2 * 0.1 is not written 0.3 otherwise.
                return [round(min(floats.low + index * step, floats.high), 12) for index in range(count)]
        return None


@dataclass(frozen=True)
class Point:
    """What was chosen so far for a trial: values by key, and the overrides that set them."""

    values: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    def value(self, key: str, fixed: Lookup) -> Any:
        """A key's value: the chosen one, or what it is in the configuration with what was chosen."""
        if key in self.values:
            return self.values[key]
        within = any(key.startswith(f"{node_of(target)}.") for target in self.values)
        return fixed(key, self.overrides) if within else fixed(key)

    def with_value(self, parameter: Parameter, value: Any) -> Point:
        """The point with one more value."""
        return Point({**self.values, parameter.target: value}, (*self.overrides, parameter.override(value)))


@dataclass(frozen=True)
class SearchSpace:
    """The searched parameters, each after those that its conditions name."""

    parameters: tuple[Parameter, ...]

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def keys(self) -> list[str]:
        """The searched configuration keys."""
        return [parameter.target for parameter in self.parameters]

    def by_name(self, name: str) -> Parameter:
        """The parameter that Optuna knows by a name; KeyError where there is none."""
        return {parameter.name: parameter for parameter in self.parameters}[name]

    def without(self, keys: set[str]) -> SearchSpace:
        """The space that is left when some keys are searched by other parameters."""
        return SearchSpace(tuple(p for p in self.parameters if p.target not in keys))

    def suggest(self, trial: Trial, fixed: Lookup) -> list[str]:
        """Draw a value for every parameter that applies; return the overrides."""
        point = Point()
        for parameter in self.parameters:
            if parameter.applies(point, fixed):
                point = point.with_value(parameter, suggest(trial, parameter.name, parameter.distribution))
        return list(point.overrides)

    def points(self, fixed: Lookup) -> Iterator[dict[str, Any]]:
        """Every point of a finite space, conditions observed.

        Raises
        ------
        ConfigError
            If a parameter has infinitely many values.
        """
        yield from self._points(0, Point(), fixed)

    def _points(self, depth: int, point: Point, fixed: Lookup) -> Iterator[dict[str, Any]]:
        if depth == len(self.parameters):
            yield dict(point.values)
            return
        parameter = self.parameters[depth]
        if not parameter.applies(point, fixed):
            yield from self._points(depth + 1, point, fixed)
            return
        for value in _finite(parameter):
            yield from self._points(depth + 1, point.with_value(parameter, value), fixed)

    def grid(self) -> dict[str, list[Any]]:
        """Every value of each parameter, for a grid sampler.

        Raises
        ------
        ConfigError
            If a parameter is conditional or has infinitely many values.
        """
        conditional = [parameter.name for parameter in self.parameters if parameter.conditions]
        if conditional:
            raise ConfigError(
                f"search_space.{conditional[0]}: a grid cannot hold a conditional parameter; "
                "use hydra/sweeper/sampler=brute_force"
            )
        return {parameter.name: _finite(parameter) for parameter in self.parameters}

    def as_config(self) -> dict[str, Any]:
        """A plain description, by which two spaces are compared."""
        return {
            p.name: {
                "key": p.key,
                "type": type(p.distribution).__name__.removesuffix("Distribution").lower(),
                **json.loads(distribution_to_json(p.distribution))["attributes"],
                **({"when": {k: list(v) for k, v in p.conditions.items()}} if p.conditions else {}),
            }
            for p in self.parameters
        }


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Draw a parameter's value; one that the trial has already, or was enqueued with, stays."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution() as d:
            return trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
        case FloatDistribution() as d:
            return trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
    raise AssertionError(distribution)


def _finite(parameter: Parameter) -> list[Any]:
    candidates = parameter.candidates()
    if candidates is None:
        raise ConfigError(
            f"search_space.{parameter.name}: a grid needs finitely many values: "
            "give choices, or a step without log"
        )
    return candidates
