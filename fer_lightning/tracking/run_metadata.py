"""What a W&B run is called, what its configuration shows, and what its summary says when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_lightning.config.factors import top_level
from fer_lightning.redact import redact, redact_text

# W&B refuses longer tags and job types.
LONGEST_TAG = 64


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
    """Return a run's summary: state, best metrics, parameters, seconds, epochs, and why it was given up."""
    values: dict[str, Any] = {f"best/{key}": value for key, value in (record.get("best") or {}).items()}
    values |= {
        "state": state,
        "seconds": record.get("seconds"),
        "epochs": record.get("epochs"),
        "parameters": (record.get("parameters") or {}).get("total"),
    }
    return values | ({"reason": reason} if reason else {})
