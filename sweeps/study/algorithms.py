"""The study's sampler and pruner, built from their configuration."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from hydra.utils import get_class
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler

from fer_lightning.config.instantiation import instantiate
from fer_lightning.errors import ConfigError, nearest
from fer_lightning.sweeps.space.search_space import SearchSpace


def build_pruner(config: dict[str, Any] | None) -> BasePruner:
    """Build a pruner from ``{"_target_": …}``; None prunes nothing.

    Raises
    ------
    ConfigError
        If the class or one of its values is not accepted.
    """
    return NopPruner() if config is None else _build(config, "pruner")


def build_sampler(
    config: dict[str, Any], space: SearchSpace | None, seed: int | None, start: int = 0
) -> BaseSampler:
    """Build a sampler from ``{"_target_": …}``.

    Parameters
    ----------
    space
        What the grid sampler's grid is made of.
    seed
        None draws anew each time.
    start
        How many processes have worked on the study before: each gets a seed of its own, since the same one would
        suggest the first one's points once more, in a peer or after a resume.

    Raises
    ------
    ConfigError
        If the class or one of its values is not accepted.
    """
    target = str(config.get("_target_", ""))
    extra: dict[str, Any] = {"seed": None if seed is None else seed + 7919 * start}
    if target.endswith(".GridSampler"):
        if space is None:
            raise ConfigError("hydra.sweeper.sampler: a grid needs a search space")
        # Its seed orders the grid, of which trial n takes the n-th point: all must agree on it.
        extra = {"search_space": space.grid(), "seed": seed or 0}
    elif target.endswith(".QMCSampler"):
        extra = {"seed": seed or 0}  # of the one sequence from which all take their points
    return _build({**extra, **config}, "sampler")


def _unknown_argument(config: dict[str, Any]) -> str | None:
    """Say which argument the class does not have, and the nearest one that it has."""
    try:
        known = inspect.signature(get_class(str(config["_target_"]))).parameters
    except Exception:  # building it says what is wrong
        return None
    if any(item.kind is item.VAR_KEYWORD for item in known.values()):
        return None
    unknown = next((name for name in config if name not in known and not name.startswith("_")), None)
    return None if unknown is None else f"has no argument {unknown}; {nearest(unknown, known)}"


def _build(config: dict[str, Any], what: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return instantiate(config, _convert_="all")
    except ImportError as error:
        raise ConfigError(
            f"hydra.sweeper.{what}: {config.get('_target_')} needs a package: {error}"
        ) from error
    except Exception as error:
        cause = error.__cause__ or error
        text = _unknown_argument(config) or str(cause).splitlines()[0]
        raise ConfigError(
            f"hydra.sweeper.{what}: {config.get('_target_')} cannot be built: {text}"
        ) from error
