"""What is fixed in a study, the name made from it, and the check that a study is taken up unchanged."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fer_lightning.config.flatten import flatten
from fer_lightning.config.renamed import ADDED, current_flat, earlier_flat
from fer_lightning.errors import ConfigError
from fer_lightning.redact import redact

# What may differ between two commands that work on the same study.
FREE_KEYS = (
    "seed",
    "seeds",
    "note",
    "logger",
    "study",
    "resume",
    "threads",
    "changed_code",
    "output_dir",  # of other programs
    "ablation",
    "search_space",
    "hydra",
    "callbacks.progress",
    "trainer.default_root_dir",
    "trainer.enable_model_summary",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
    "data.cache_dir",
    "data.on_device",
    "data.num_workers",
)

_VARIED = ("search_space", "ablation")


def fixed_part(config: Mapping[str, Any], varied: Iterable[str]) -> dict[str, Any]:
    """Flatten a configuration to dotted keys, without secrets and those that are free or varied by the study.

    Parameters
    ----------
    config
        The job's configuration as plain containers.
    varied
        Keys that the search space or the plan sets; a key takes everything below it along.
    """
    left_out = {*FREE_KEYS, *(key.replace("/", ".") for key in varied)}
    flat = {key: value for key, value in flat_json(config).items() if key not in ADDED or value != ADDED[key]}
    kept: dict[str, Any] = redact({key: value for key, value in flat.items() if not _is_below(key, left_out)})
    return kept


def flat_json(node: Any) -> dict[str, Any]:
    """Return nested mappings as one with dotted keys, of JSON values."""
    # Through JSON, so that what was stored and what is read now are alike (a tuple is a list).
    return {key: json.loads(json.dumps(value, default=str)) for key, value in flatten(node).items()}


def _is_below(key: str, keys: set[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[: end + 1]) in keys for end in range(len(parts)))


def study_name(label: str, data: str, fixed: Mapping[str, Any]) -> str:
    """Name a study ``<label>-<data>-<8 hex digits of everything that is fixed>``.

    The digits are those of the earliest names of modules and keys, so that a study keeps its name.
    """
    digest = hashlib.sha256(json.dumps(earlier_flat(fixed), sort_keys=True, default=str).encode()).hexdigest()
    words = [re.sub(r"[^A-Za-z0-9_.]+", "_", word).strip("_") for word in (label, data) if word]
    return "-".join([*words, digest[:8]])


def require_same(name: str, stored: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Refuse to go on with a study whose fixed part has changed.

    Raises
    ------
    ConfigError
        Naming the first differing key, both values and the way out.
    """
    before, now = current_flat(flat_json(stored)), flat_json(present)
    # What is varied first: a key that is searched in one of them and fixed in the other differs twice.
    for key in sorted({*before, *now}, key=lambda key: (key.split(".")[0] not in _VARIED, key)):
        if before.get(key) != now.get(key) or (key in before) != (key in now):
            raise ConfigError(
                f"study {name} exists with {key}={shown_fixed(before, key)}, this command has "
                f"{key}={shown_fixed(now, key)}: repeat the command that began it, or give "
                "hydra.sweeper.study_name=<another name>"
            )


def shown_fixed(values: Mapping[str, Any], key: str) -> str:
    """Return a value of the fixed part as a message has it."""
    return json.dumps(values[key]) if key in values else "nothing"
