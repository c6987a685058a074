"""Trials of earlier studies that a search takes over (`begin_from`), each as a point of the search's own space."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.messages import counted
from fer_lightning.sweeps.composition import Composition
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.earlier_points import EarlierTrials
from fer_lightning.sweeps.space.first_points import GRIDS
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.study.results import find_storage, load_study

_SHOWN = 4


@dataclass(frozen=True)
class Taken:
    """What is taken over, and a line for each earlier study that says how much and why the rest is not."""

    trials: tuple[FrozenTrial, ...] = ()
    notes: tuple[str, ...] = ()


def read_earlier(
    options: SweepOptions,
    space: SearchSpace,
    composition: Composition,
    fixed: Mapping[str, Any],
    own: tuple[str, str],
) -> Taken:
    """Read the studies of `hydra.sweeper.begin_from`.

    Parameters
    ----------
    fixed
        What is fixed in the search that takes their trials over.
    own
        The address of that search's storage, and its name.

    Raises
    ------
    ConfigError
        There is no such study, it is an ablation, or it compares something else: another objective, other data, another
        number of epochs, or anything else that is fixed in both and differs.
    """
    if not options.begin_from:
        return Taken()
    if str(options.sampler["_target_"]).endswith(GRIDS):
        raise ConfigError(
            "hydra.sweeper.begin_from: a grid runs every point itself; expected another hydra/sweeper/sampler"
        )
    trials: list[FrozenTrial] = []
    notes = []
    for place in options.begin_from:
        where = f"hydra.sweeper.begin_from={place}"
        try:
            found = load_study(os.path.expanduser(place))
        except DataError as error:
            raise ConfigError(f"hydra.sweeper.begin_from: {error}") from error
        if (find_storage(os.path.expanduser(place)), found.study_name) == own:
            raise ConfigError(f"{where}: is this very study; expected an earlier one")
        _require_same_objective(where, found, options)
        earlier = EarlierTrials(found, os.path.expanduser(place), options, space, composition, fixed)
        earlier.require_same(where)
        taken, left = earlier.taken()
        trials += taken
        notes.append(_note(place, len(taken), left))
    return Taken(tuple(trials), tuple(notes))


def _note(place: str, taken: int, left: Sequence[str]) -> str:
    said = f"{taken} of {counted(taken + len(left), 'trial')} of {place} taken over"
    reasons = Counter(left).most_common()
    if not reasons:
        return said
    listed = [f"{count} {reason}" for reason, count in reasons[:_SHOWN]]
    listed += (
        [f"{sum(count for _, count in reasons[_SHOWN:])} for other reasons"] if len(reasons) > _SHOWN else []
    )
    return f"{said}; not taken: {', '.join(listed)}"


def _require_same_objective(where: str, study: optuna.Study, options: SweepOptions) -> None:
    if "plan" in study.user_attrs:
        raise ConfigError(f"{where}: is an ablation; expected a search")
    if "fixed" not in study.user_attrs:
        raise ConfigError(f"{where}: was not made by this sweeper; expected a search of its own")
    theirs = list(
        zip(study.user_attrs.get("objectives", []), (d.name.lower() for d in study.directions), strict=False)
    )
    ours = list(zip(options.objective, options.direction, strict=True))
    if theirs != ours:
        shown = [", ".join(f"{name} ({way})" for name, way in pairs) for pairs in (theirs, ours)]
        raise ConfigError(
            f"{where}: compares {shown[0]}, this search {shown[1]}; expected the same objective"
        )
