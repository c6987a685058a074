"""What `compare` is given for each arm, read as results by arm and seed; a mistake names both."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from fer_lightning.config.typed import typed_path
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.predictions import Predictions
from fer_lightning.runs.run import Run

# What an arm has with one seed: a value; a folder of `evaluate` or an .npz file; a run's folder, read; logits; or
# bool [N], which images are right.
Result: TypeAlias = float | str | Path | Run | Predictions | np.ndarray
ByArm: TypeAlias = dict[str, dict[int, Result]]
_A_RESULT: Final = (
    "a number, a folder of `evaluate` or an .npz file of logits, a Run, Predictions, or bool [N] (which of N images "
    "are classified right)"
)
_EACH_SEED: Final = "a list with one result for each seed, or a mapping from seeds to results"


def results_by_arm(results: Mapping[Any, Any]) -> ByArm:
    """Read a mapping from arms to their results.

    An arm has a list (or an array of one dimension, or bool ``[S, N]``), whose n-th entry is that of seed n, or a
    mapping or a pandas series, whose keys are the seeds.

    Raises
    ------
    UserError
        An arm, a seed or a result is not as expected, or the results are not of one kind.
    """
    found: ByArm = {}
    for given, of_seeds in results.items():
        arm = str(given)
        if not isinstance(given, (str, Real, np.generic)) or not arm.strip():
            raise ConfigError(f"results: an arm is called {given!r}; expected a text or a number")
        if arm in found:
            raise ConfigError(f"results: two arms are called {arm}; expected a name of its own for each")
        found[arm] = _by_seed(arm, of_seeds)
    if not found:
        raise DataError("results: no arms; expected at least two, the baseline first")
    _require_one_kind(found)
    for arm, of_arm in found.items():
        _refuse_repeats(arm, of_arm)
    return found


def _by_seed(arm: str, given: Any) -> dict[int, Result]:
    if isinstance(given, (Mapping, pd.Series)):
        entries: list[tuple[Any, Any]] = list(given.items())
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes, Set, pd.DataFrame)):
        entries = list(enumerate(_entries(arm, given)))
    else:
        raise ConfigError(f"arm {arm}: {_described(given)}; expected {_EACH_SEED}")
    if not entries:
        raise DataError(f"arm {arm}: has no results; expected {_EACH_SEED}")
    found: dict[int, Result] = {}
    for key, item in entries:
        seed = _seed(arm, key)
        if seed in found:
            raise ConfigError(f"arm {arm}, seed {seed}: is there twice; expected one result for each seed")
        found[seed] = _result(f"arm {arm}, seed {seed}", item)
    return found


def _entries(arm: str, given: Iterable[Any]) -> Iterable[Any]:
    """Return the results of seeds 0, 1 …; an array must have the seeds as its first dimension."""
    if not hasattr(given, "__array__"):
        return given
    array = _as_array(f"arm {arm}", given)
    if array.ndim == 1 and array.dtype == bool:
        raise ConfigError(
            f"arm {arm}: bool of shape {list(array.shape)} is the result of one seed; expected {_EACH_SEED}"
        )
    if array.ndim == (2 if array.dtype == bool else 1):
        return list(array)
    raise ConfigError(
        f"arm {arm}: {_described(given)}; expected numbers [S] or bool [S, N], with one entry for each of S seeds"
    )


def _seed(arm: str, key: Any) -> int:
    if isinstance(key, Integral) and not isinstance(key, bool):
        return int(key)
    try:
        number = float(key)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(key, bool) or not number.is_integer():
        raise ConfigError(f"arm {arm}: {key!r} is no seed; expected whole numbers as the keys of its results")
    return int(number)


def _result(place: str, item: Any) -> Result:
    if isinstance(item, (Run, Predictions)):
        return item
    if isinstance(item, (str, os.PathLike)):
        return _path(place, os.fspath(item))
    if item is None or (isinstance(item, (Real, Decimal, np.number)) and not isinstance(item, bool)):
        return _number(place, item)
    if isinstance(item, (list, tuple)) or hasattr(item, "__array__"):
        array = _as_array(place, item)
        if array.ndim == 0 and array.dtype.kind in "iuf":
            return _number(place, array)
        if array.ndim == 1 and array.dtype == bool and len(array):
            return array
        raise ConfigError(f"{place}: {_described(item)}; expected {_of_array(array)}")
    raise ConfigError(f"{place}: {_described(item)}; expected {_A_RESULT}")


def _of_array(array: np.ndarray) -> str:
    if array.ndim == 2 and array.dtype.kind == "f":
        return "logits with their labels, fl.Predictions(logits, labels)"
    if array.ndim == 1 and array.dtype.kind in "iuf" and np.isin(array, (0, 1)).all() and len(array):
        return "bool [N] (which of N images are classified right), as array.astype(bool) gives"
    return _A_RESULT


def _path(place: str, text: str) -> str:
    try:
        float(text)
    except ValueError:
        return text
    if typed_path(text).exists():
        return text
    raise ConfigError(f"{place}: {text!r} is a text; expected {_A_RESULT}")


def _number(place: str, item: Any) -> float:
    value = math.nan if item is None else float(item)
    if not math.isfinite(value):
        raise DataError(f"{place}: {item}; expected a finite number, and no entry for a run that has none")
    return value


def _as_array(place: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors that need a gradient
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"{place}: {type(given).__name__} is no array ({said}); expected {_A_RESULT}"
        ) from None


def _described(given: Any) -> str:
    """Return what a message calls a value, in one line."""
    if isinstance(given, (list, tuple)) or hasattr(given, "__array__"):
        array = _as_array("results", given)
        return f"{type(given).__name__} of {array.dtype} with shape {list(array.shape)}"
    if isinstance(given, (str, bool, Real, Path)):
        return f"{str(given) if isinstance(given, Path) else given!r} ({type(given).__name__})"
    return type(given).__name__


def _kind(item: Result) -> str:
    if isinstance(item, float):
        return "a number"
    return "bool [N]" if isinstance(item, np.ndarray) else "logits"


def _require_one_kind(results: ByArm) -> None:
    items = [(arm, seed, _kind(item)) for arm, found in results.items() for seed, item in found.items()]
    arm, seed, kind = items[0]
    other = next((item for item in items if item[2] != kind), None)
    if other is not None:
        raise ConfigError(
            f"arm {arm}, seed {seed} has {kind}, but arm {other[0]}, seed {other[1]} {other[2]}; expected one kind of "
            "result for all"
        )


def _refuse_repeats(arm: str, found: Mapping[int, Result]) -> None:
    """Check that no two seeds have the same place or object."""
    seen: dict[Any, int] = {}
    for seed, item in found.items():
        if isinstance(item, (float, np.ndarray)):
            continue
        folder = item.folder if isinstance(item, Run) else item
        place: Any = typed_path(folder).resolve() if isinstance(folder, (str, Path)) else id(item)
        if (first := seen.setdefault(place, seed)) != seed:
            named = item if isinstance(item, str) else type(item).__name__
            raise ConfigError(
                f"arm {arm}: {named} of the seeds {first} and {seed} is given more than once; expected a folder of its "
                "own for each seed"
            )
