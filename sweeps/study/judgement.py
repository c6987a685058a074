"""What a study compares: settled from the sweeper's options and the runs' own configuration, which must agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fer_lightning.config.objective import UNNAMED, known_direction
from fer_lightning.config.values import short_direction
from fer_lightning.errors import ConfigError

# The study's user attribute by which one that was always judged by its own objective is told.
JUDGED_BY = "judged_by"

_MODES = {True: "max", False: "min"}
_HIGHER = {"max": True, "min": False}


def settle_judgement(options: Mapping[str, Any], lookup: Callable[[str], Any]) -> dict[str, Any]:
    """Fill in `objective` and `direction` where they are not given, and refuse those that the runs contradict.

    A configuration whose `metric` is a name and whose `mode` is max or min says what its runs are measured by. A
    program's own `mode: train` says no such thing. An objective of which nothing is known is maximised, unless the
    search is written as hydra-optuna-sweeper has it, which minimises.

    Parameters
    ----------
    options
        `hydra.sweeper` as plain containers.
    lookup
        Returns a key of the fixed configuration; None where it is not set.

    Raises
    ------
    ConfigError
        The runs' metric is none of the objectives, or has another direction among them.
    """
    metric, mode = lookup("metric"), lookup("mode")
    metric = metric if isinstance(metric, str) and metric else None
    mode = mode if metric is not None and mode in ("max", "min") else None
    objective, direction = options.get("objective"), options.get("direction")
    if objective is None:
        count = 1 if direction is None else len(_listed(direction))
        objective = metric or (UNNAMED if count == 1 else [f"{UNNAMED}_{place}" for place in range(count)])
    names = _listed(objective)
    if direction is None:
        # hydra-optuna-sweeper minimises, and these are its ways to write a search.
        unknown = "min" if options.get("params") or options.get("custom_search_space") else "max"
        direction = [_direction(name, metric, mode, unknown) for name in names]
        if len(names) > 1 and any(name != metric and known_direction(name) is None for name in names):
            raise ConfigError(
                f"hydra.sweeper.direction=null: expected one of max and min for each of {names}"
            )
    if metric is not None and mode is not None:
        _require_agreement(names, _listed(direction), metric, mode)
    return {**options, "objective": objective, "direction": direction}


def _listed(value: Any) -> list[str]:
    return (
        [str(word) for word in value]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else [str(value)]
    )


def _direction(name: str, metric: str | None, mode: str | None, unknown: str) -> str:
    if mode is not None and name == metric:
        return mode
    known = known_direction(name)
    return unknown if known is None else _MODES[known]


def _require_agreement(names: list[str], directions: list[str], metric: str, mode: str) -> None:
    given = dict(zip(names, directions, strict=False))
    if metric not in names:
        first = names[0]
        wanted = _MODES[_HIGHER.get(short_direction(given.get(first, "")), True)]
        raise ConfigError(
            f"hydra.sweeper.objective={_shown(names)} with metric={metric}: the study would compare one metric, "
            f"and each run choose its best epoch by another; give metric={first} mode={wanted}, or both as objectives"
        )
    direction = given.get(metric, mode)
    if _HIGHER.get(short_direction(direction), mode == "max") != (mode == "max"):
        raise ConfigError(
            f"hydra.sweeper.direction={_shown(directions)} with mode={mode}: {metric} cannot be both; leave "
            f"hydra.sweeper.direction out, or give a mode={_MODES[mode != 'max']} that suits the metric"
        )


def _shown(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"[{','.join(words)}]"
