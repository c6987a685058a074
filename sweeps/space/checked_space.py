"""The search space of a command: what its configuration and its overrides search, tried before any trial."""

from __future__ import annotations

from fer_lightning.config.expectation import shown_value
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.composition import Composition
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.space.parse_space import in_order, parse_space
from fer_lightning.sweeps.space.search_space import Parameter, SearchSpace
from fer_lightning.sweeps.space.tried_values import conditions_met


def read_space(options: SweepOptions, composition: Composition, swept: SearchSpace) -> SearchSpace:
    """Return what the command searches, after composing every key and every option once.

    Raises
    ------
    ConfigError
        The space is empty and no number of trials is given; an override sets what is searched; a key, an option or a
        condition does not exist.
    """
    configured = parse_space(options.search_space)
    _refuse_set_keys(configured, composition)
    left = configured.without(set(swept.keys))
    # What the conditions name comes first, be it from the configuration or from the command line.
    space = SearchSpace(in_order([*swept.parameters, *left.parameters]))
    if not len(space) and options.custom_search_space is None and options.n_trials is None:
        raise ConfigError(
            "nothing to search: give a search_space, an ablation plan, or overrides such as key=a,b; "
            "hydra.sweeper.n_trials=8 runs the same 8 times"
        )
    for parameter in space.parameters:
        _try(parameter, space, composition)
    return space


def replaced_values(space: SearchSpace, composition: Composition) -> list[str]:
    """Say where the configuration replaces a value of an option that the search chooses."""
    return [
        line
        for parameter in space.parameters
        if composition.is_group(parameter.target)
        for value in parameter.candidates() or []
        for line in composition.replaced(
            parameter.target, str(value), [parameter.override(value)], varied=space.keys
        )
    ]


def _refuse_set_keys(configured: SearchSpace, composition: Composition) -> None:
    """Refuse an override that sets what the configuration searches: one of the two would be ignored."""
    set_by = {key_of(text): text for text in composition.fixed}
    for parameter in configured.parameters:
        if parameter.target in set_by:
            place = "search_space" if composition.lookup("search_space") else "hydra.sweeper.search_space"
            raise ConfigError(
                f"{set_by[parameter.target]}: {parameter.target} is searched; "
                f"expected no value for it, or {place}.{parameter.name}=null to take it out of the search"
            )


def _try(parameter: Parameter, space: SearchSpace, composition: Composition) -> None:
    """Compose a parameter, under its conditions: a group with each of its options, a key with some value."""
    given = conditions_met(parameter, space, composition.lookup)
    what = f"search_space.{parameter.name}"
    if not composition.is_group(parameter.target):
        composition.compose([*given, parameter.override(parameter.some_value())], what)
        return
    options = composition.options(parameter.target)
    for value in parameter.candidates() or []:
        # A value may be the names of several options, or an interpolation.
        if isinstance(value, str) and not value.startswith("[") and "$" not in value and value not in options:
            raise ConfigError(f"{what}: {value!r} is none of {', '.join(options)}")
        composition.compose([*given, parameter.override(value)], f"{what}={shown_value(value)}")
