"""What a W&B run is called, what its configuration shows, and what its summary says when it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fer_lightning.config.factors import top_level
from fer_lightning.config.metric_table import own_values, single_values
from fer_lightning.redact import redact, redact_text

# W&B refuses longer tags and job types, and longer names.
LONGEST_TAG, LONGEST_NAME = 64, 128
STUDY = "study"
"""The job type of a study's own run."""


def safe_name(name: str, length: int = LONGEST_NAME) -> str:
    """Return a project's, group's or run's name as W&B takes it: redacted, cut, without the signs that it refuses."""
    return re.sub(r"[/\\#?%:]+", "_", redact_text(name)).strip()[:length].rstrip()


def safe_id(name: str, *parts: str, length: int = LONGEST_TAG) -> str:
    """Return a run's id, which is part of its address and of file names: a name as far as it goes, and parts."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", redact_text(name))[:length].strip("_.")
    return "-".join(part for part in (plain, *parts) if part)


def run_tags(own: Sequence[str], study: Sequence[str], data: Mapping[str, Any]) -> list[str]:
    """Return a run's tags, each once and redacted: the user's, the study's, the data's name, ``synthetic``."""
    known = [*own, *study, *([data["name"]] if data.get("name") else [])]
    known += ["synthetic"] if data.get("synthetic") else []
    return list(dict.fromkeys(redact_text(str(tag))[:LONGEST_TAG] for tag in known if str(tag)))


def run_configuration(
    config: Mapping[str, Any], data: Mapping[str, Any], study: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a run's configuration, redacted: factors, seed, arm and data at the top, all else in ``settings``."""
    names = {"data": "name", "synthetic": "synthetic", "fingerprint": "fingerprint"}
    about = {key: data[name] for key, name in names.items() if name in data}
    found: dict[str, Any] = redact(top_level(config, study) | about)
    return found


def run_summary(state: str, record: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    """Return a run's summary: state, headline metrics of the best epoch, size, seconds, epochs, why it was given up."""
    measured = record.get("best") or {}
    headline = [*single_values(headline=True), *own_values(measured)]
    shown = {"epoch", record.get("metric"), *(f"val/{name}" for name in headline)}
    best = {key: value for key, value in measured.items() if key in shown}
    values: dict[str, Any] = {f"best/{key}": value for key, value in best.items()}
    values |= {
        "state": state,
        "seconds": record.get("seconds"),
        "epochs": record.get("epochs"),
        "parameters": (record.get("parameters") or {}).get("total"),
    }
    return values | ({"reason": reason} if reason else {})
