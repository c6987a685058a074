"""Every run's configuration once: what all runs share, and what differs between any two."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fer_lightning.config.renamed import current_flat

# Where a run lies and how it speaks is no difference between two models.
_BOOKKEEPING = ("output_dir", "resume", "threads")
_BOOKKEEPING_ENDS = (".folder", ".label", ".lines")
ABSENT = "not set"


def _is_bookkeeping(key: str) -> bool:
    return key in _BOOKKEEPING or key.endswith(_BOOKKEEPING_ENDS) or key.startswith("logger.")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def split_configs(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Part flat configurations into what is the same in every run that has one, and the rest.

    Returns
    -------
    dict
        ``common``: pairs of key and value. ``varying``: for each differing key its name, its ``values`` (each
        once) and ``runs``: one place in ``values`` a run, -1 for a run without a configuration. A ``….seed``
        that only repeats the run's seed is left out.
    """
    configs = [current_flat(config) for config in configs]
    known = [index for index, config in enumerate(configs) if config]
    keys = dict.fromkeys(key for config in configs for key in config if not _is_bookkeeping(key))
    common: list[list[str]] = []
    varying: list[dict[str, Any]] = []
    for key in keys:
        cells = {index: _shown(configs[index][key]) if key in configs[index] else ABSENT for index in known}
        values = list(dict.fromkeys(cells.values()))
        if len(values) == 1:
            common.append([key, values[0]])
        else:
            places = {value: place for place, value in enumerate(values)}
            runs = [places[cells[index]] if index in cells else -1 for index in range(len(configs))]
            varying.append({"key": key, "values": _shortened(values), "runs": runs})
    seed = next((row for row in varying if row["key"] == "seed"), None)
    if seed is not None:
        varying = [row for row in varying if row is seed or not _repeats(row, seed)]
    return {"common": sorted(common), "varying": sorted(varying, key=lambda row: str(row["key"]))}


def _shortened(values: Sequence[str]) -> list[str]:
    """Numbers to four digits, so that a drawn learning rate can be read; as they are where two would look alike."""
    short = [_four_digits(value) for value in values]
    return short if len(set(short)) == len(values) else list(values)


def _four_digits(value: str) -> str:
    if "." not in value or len(value) <= 6:
        return value
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def _repeats(row: Mapping[str, Any], seed: Mapping[str, Any]) -> bool:
    same = row["values"] == seed["values"] and row["runs"] == seed["runs"]
    return bool(same and str(row["key"]).endswith(".seed"))
