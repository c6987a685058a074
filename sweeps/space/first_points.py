"""The settings with which a search begins: the configuration's own, and those that `first` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fer_lightning.config.flatten import flatten
from fer_lightning.errors import ConfigError, nearest
from fer_lightning.sweeps.composition import Composition
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.space.override import element
from fer_lightning.sweeps.space.search_space import Lookup, Parameter, Point, SearchSpace

DEFAULT = "default"
# They run every point of their space, in an order of their own.
GRIDS = (".GridSampler", ".BruteForceSampler")


@dataclass(frozen=True)
class FirstPoint:
    """A setting that is tried before the sampler's own: `params` by Optuna's names, `overrides` that set them."""

    name: str
    params: Mapping[str, Any]
    overrides: tuple[str, ...]


class OutsideError(ValueError):
    """A value is no point of the search space; the text says which and why."""


def default_point(space: SearchSpace, composition: Composition) -> FirstPoint:
    """The configuration's own setting as a point of a space.

    Raises
    ------
    OutsideError
        It is none.
    """
    if not composition.whole:
        raise OutsideError("the configuration is not whole without the search's values")

    def lookup(key: str, _overrides: Sequence[str] = ()) -> Any:
        return composition.lookup(key)  # its own options are composed already

    return point_of(DEFAULT, {}, space, lookup)


def first_points(options: SweepOptions, space: SearchSpace, composition: Composition) -> list[FirstPoint]:
    """The settings of `hydra.sweeper.first`; what an entry does not name is as in the configuration.

    Raises
    ------
    ConfigError
        Naming the entry that is no point of the space.
    """
    given = options.first or ()
    if given and str(options.sampler["_target_"]).endswith(GRIDS):
        raise ConfigError(
            "hydra.sweeper.first: a grid runs every point; expected another hydra/sweeper/sampler, such as tpe"
        )
    if options.n_trials is not None and len(given) > options.n_trials:
        raise ConfigError(
            f"hydra.sweeper.first: {len(given)} settings, more than hydra.sweeper.n_trials={options.n_trials}"
        )
    return [
        _named(f"hydra.sweeper.first[{place}]", entry, space, composition)
        for place, entry in enumerate(given)
    ]


def _named(where: str, entry: Mapping[str, Any], space: SearchSpace, composition: Composition) -> FirstPoint:
    targets = {name: parameter.target for parameter in space.parameters for name in _names(parameter)}
    values = {}
    whole = {key: value for key, value in entry.items() if key in targets}  # a choice may be a mapping
    for key, value in (whole | flatten({k: v for k, v in entry.items() if k not in whole})).items():
        if key not in targets:
            raise ConfigError(f"{where}.{key}: is not searched; {nearest(key, list(targets))}")
        values[targets[key]] = value
    try:
        point = point_of(where.removeprefix("hydra.sweeper."), values, space, composition.lookup)
    except OutsideError as error:
        raise ConfigError(f"{where}: {error}") from error
    left = values.keys() - {space.by_name(name).target for name in point.params}
    if left:
        key = min(left)
        raise ConfigError(
            f"{where}.{key}: its conditions do not hold with the other values; expected none for it"
        )
    return point


def _names(parameter: Parameter) -> tuple[str, ...]:
    return (parameter.target, parameter.name)


def point_of(
    name: str, given: Mapping[str, Any], space: SearchSpace, lookup: Lookup, *, whole: bool = False
) -> FirstPoint:
    """Return given values, by what they set, as a point of a space.

    Parameters
    ----------
    name
        Of the point.
    given
        Those that its conditions leave out are passed over.
    lookup
        Returns what is fixed, and the values that are not given.
    whole
        Whether every value must be given.

    Raises
    ------
    OutsideError
        It is no point of the space.
    """
    point, params = Point(), {}
    for parameter in space.parameters:
        if not parameter.applies(point, lookup):
            continue
        if parameter.target in given:
            value = given[parameter.target]
        elif whole:
            raise OutsideError(f"of which no {parameter.target} is known")
        elif parameter.key.startswith("+"):
            raise OutsideError(f"the configuration has no {parameter.target}")
        else:
            value = point.value(parameter.target, lookup)
        params[parameter.name] = stored = _stored(parameter, value)
        point = point.with_value(parameter, stored)
    return FirstPoint(name, params, point.overrides)


def _stored(parameter: Parameter, value: Any) -> Any:
    """A value as Optuna stores it, a choice that is no scalar by its label."""
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, str):
        value = element(value)
    if not contains(parameter.distribution, value):
        raise OutsideError(
            f"{parameter.target}={element(value)} is not searched; expected {_expected(parameter.distribution)}"
        )
    return value


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value may be suggested from a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return any(value == choice and type(value) is type(choice) for choice in distribution.choices)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(distribution, IntDistribution) and value != int(value):
        return False
    if not distribution.low <= value <= distribution.high:
        return False
    if distribution.step is None or distribution.log:
        return True
    steps = (value - distribution.low) / distribution.step
    return abs(steps - round(steps)) < 1e-8


def _expected(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(element, distribution.choices))}"
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    kind = "a whole number" if isinstance(distribution, IntDistribution) else "a number"
    step = distribution.step if not distribution.log else None
    steps = "" if step in (None, 1) else f" in steps of {step:g}"
    return f"{kind} of {distribution.low:g} to {distribution.high:g}{steps}"
