"""What a search's command settles before any trial: the settings that it begins with, and how it is confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.composition import Composition
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.checked_plan import try_key
from fer_lightning.sweeps.plan.confirmation import Confirmation
from fer_lightning.sweeps.space.first_points import (
    GRIDS,
    FirstPoint,
    OutsideError,
    default_point,
    first_points,
)
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.space.search_space import SearchSpace


@dataclass(frozen=True)
class Beginning:
    """The settings that a search begins with, its confirmation, and what a reader must know of both."""

    points: tuple[FirstPoint, ...] = ()
    confirmation: Confirmation | None = None
    notes: tuple[str, ...] = ()


def read_beginning(
    options: SweepOptions, space: SearchSpace, composition: Composition, *, custom: bool
) -> Beginning:
    """Read `begin_with_default`, `first` and `confirm`.

    Parameters
    ----------
    custom
        Whether a function suggests further parameters, of which nothing is known before.

    Raises
    ------
    ConfigError
        A setting is no point of the space; the configuration's own cannot be run; a seed is the search's.
    """
    default, why = None, "custom_search_space suggests further parameters"
    if not custom:
        try:
            default = default_point(space, composition)
        except OutsideError as error:
            why = str(error)
    named = first_points(options, space, composition)
    confirmation = _confirmation(options, space, composition, default)
    if not options.begin_with_default or str(options.sampler["_target_"]).endswith(GRIDS):
        return Beginning(tuple(named), confirmation)
    if default is None:
        return Beginning(tuple(named), confirmation, (f"trial 0 is not the default setting: {why}",))
    return Beginning((default, *named), confirmation)


def _confirmation(
    options: SweepOptions, space: SearchSpace, composition: Composition, default: FirstPoint | None
) -> Confirmation | None:
    if options.confirm is None:
        return None
    where = f"hydra.sweeper.confirm={options.confirm}"
    if not composition.whole:
        raise ConfigError(
            f"{where}: the configuration is not whole without the search's values, so there is no default setting to "
            "compare with; expected a value for each"
        )
    key, seeds = key_of(options.seed_key), options.confirm_seeds
    if key in space.keys:
        raise ConfigError(
            f"{where}: {key} is searched; expected a fixed one, as the settings are compared over seeds"
        )
    try_key("seed_key", options.seed_key, 1, composition)
    present = composition.lookup(key)
    if not isinstance(seeds, int) and present in seeds:
        raise ConfigError(
            f"hydra.sweeper.confirm_seeds={list(seeds)}: the search chooses by seed {present}; expected others"
        )
    params = {} if default is None else default.params
    return Confirmation(
        options.confirm,
        seeds if isinstance(seeds, int) else tuple(seeds),
        options.seed_key,
        search_seed=present if isinstance(present, int) else None,
        default_overrides=None if default is None else default.overrides,
        default_params=params,
        default_distributions={name: space.by_name(name).distribution for name in params},
    )
