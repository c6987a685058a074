"""``python -m fer_lightning report STUDY_DIR``: the table, page, files and figures of a study, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_lightning.commands.arguments import parse_arguments
from fer_lightning.errors import ConfigError
from fer_lightning.stats.rules import Rules
from fer_lightning.study_report import report_study

KEYS: dict[str, Any] = {
    "study_name": None,
    "output": None,
    "page": True,
    "confidence": 0.95,
    "min_seeds": 3,
    "smallest_effect": 0.01,
    "power": 0.8,
    "higher_is_better": True,
}


def main(arguments: list[str]) -> int:
    """Print the report of the study in a folder, or of a storage, and write its files there or to ``output``."""
    if not arguments or "=" in arguments[0]:
        raise ConfigError("report STUDY_DIR: expected the folder of a study")
    place, *rest = arguments
    values, _ = parse_arguments(rest, KEYS)
    output = values.pop("output")
    if output is None and not Path(place).is_dir():
        raise ConfigError(f"{place}: no such folder; a study of a storage needs output=DIR")
    study_name, page = values.pop("study_name"), values.pop("page")
    if not isinstance(page, bool):
        raise ConfigError(f"page={page}: expected true or false")
    print(report_study(place, Path(output or place), study_name, Rules(**values), page=page))
    return 0
