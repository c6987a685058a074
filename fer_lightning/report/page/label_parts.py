"""The page's parts on calibration and on doubtful labels: their tables, and the pictures beside the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fer_lightning.report.label_cells import Section
from fer_lightning.report.page.saliency_grids import embedded
from fer_lightning.report.sections import report_sections
from fer_lightning.stats.ablation import AblationReport

_LARGEST = 300_000  # bytes of one of the two pictures
_PICTURES = {"Calibration": "calibration.png", "Doubtful labels": "doubtful_labels.png"}


def label_parts(report: AblationReport | None, more: Sequence[Section] = ()) -> list[dict[str, Any]]:
    """Each part with its title, table and sentences; what the page shows of it is redacted, its picture is not.

    Parameters
    ----------
    more
        Parts of a study that is no ablation.
    """
    return [asdict(section) for section in [*([] if report is None else report_sections(report)), *more]]


def with_pictures(parts: Sequence[Mapping[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """Add the picture of each part, and its place in the page.

    Parameters
    ----------
    folder
        Where the report's files lie; without it there are no pictures.
    """
    found = []
    for part in parts:
        name = _PICTURES.get(part["title"])
        picture = None if folder is None or name is None else embedded(folder / name, _LARGEST)
        found.append({**part, "key": part["title"].lower().replace(" ", "-"), "picture": picture})
    return found


def warnings(report: AblationReport | None) -> list[str]:
    """What stands at the top of a page whose verdicts are not of all faces."""
    if report is None or not report.trusted:
        return []
    return [
        f"{report.data_name}: the verdicts are of trusted labels only, and no model is chosen by them. The table of "
        "all runs, their curves and matrices below are of all faces."
    ]
