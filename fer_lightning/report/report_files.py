"""The ablation report as files: CSV, JSON, Markdown, text and the figure."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_lightning.data.label import data_label
from fer_lightning.plots.forest import plot_effects
from fer_lightning.plots.reliability import plot_calibration
from fer_lightning.plots.style import save_figure
from fer_lightning.report.effects import effects_data
from fer_lightning.report.label_cells import CALIBRATION_FILE, DOUBTS_FILE, calibration_csv, doubts_csv
from fer_lightning.report.markdown import to_markdown
from fer_lightning.report.slice_cells import slices_numbers
from fer_lightning.report.text import to_text
from fer_lightning.report.what_next import Step
from fer_lightning.runs.files import write_text
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_summary import ArmSummary
from fer_lightning.stats.arm_tuning import TuningPart

_FROM_EFFECT = {
    "difference": "mean",
    "difference_sd": "sd",
    "low": "low",
    "high": "high",
    "p": "p",
    "method": "method",
    "bootstrap_low": "bootstrap_low",
    "bootstrap_high": "bootstrap_high",
}


def _row(report: AblationReport, rank: int, row: ArmSummary, settings: str) -> dict[str, Any]:
    effect = row.effect
    return {
        "data": report.data_name,
        "synthetic": report.synthetic,
        "settings": settings,
        "rank": rank,
        "arm": row.arm,
        **{f"level.{factor}": level for factor, level in row.levels.items()},
        "metric": report.metric,
        "direction": "max" if report.objective.higher_is_better else "min",
        "unit": report.objective.unit,
        "n_seeds": len(row.seeds),
        "n_folds": report.folds,
        "seeds": " ".join(map(str, row.seeds)),
        "mean": row.mean,
        "sd": row.sd,
        "n_common_seeds": len(effect.seeds) if effect else 0,
        **{name: getattr(effect, field) if effect else "" for name, field in _FROM_EFFECT.items()},
        "p_holm": row.p_holm,
        "p_mcnemar_holm": row.mcnemar,
        "verdict": row.verdict,
        "seeds_needed": row.seeds_needed,
        "seconds": row.seconds,
        "n_pruned": row.n_pruned,
        "n_failed": row.n_failed,
        "n_unfinished": row.n_unfinished,
        "failures": "; ".join(row.failures),
        **(_tuning(report.tuning, row.arm) if report.tuning is not None else {}),
    }


def _tuning(part: TuningPart, name: str) -> dict[str, Any]:
    arm = part.arm(name)
    return {
        "tuning.point": arm.point,
        **{f"tuning.{name}": arm.settings.get(name) for name in part.parameters},
        "tuning.seed": part.seed,
        "tuning.value": arm.value,
        "tuning.own_value": arm.own_value,
        "tuning.n_complete": arm.n_complete,
        "tuning.n_pruned": arm.n_pruned,
        "tuning.n_failed": arm.n_failed,
        "tuning.n_unfinished": arm.n_unfinished,
        "tuning.seconds": arm.seconds,
        "tuning.failures": "; ".join(arm.failures),
    }


def report_rows(report: AblationReport) -> list[dict[str, Any]]:
    """One mapping an arm, shares as fractions; tuned arms follow."""
    parts = [(report, "baseline's" if report.tuned else "as given")]
    if report.tuned is not None:
        parts.append((report.tuned, "tuned"))
    return [_row(part, i, row, name) for part, name in parts for i, row in enumerate(part.arms, start=1)]


def to_csv(report: AblationReport) -> str:
    """The rows as CSV, empty where there is no number."""
    rows = report_rows(report)
    # Arms may know different factors; the longest row sets the order.
    order = sorted(rows, key=lambda row: -len(row))
    columns = list(dict.fromkeys(name for row in order for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        empty = {k: "" for k, v in row.items() if v is None or (isinstance(v, float) and math.isnan(v))}
        writer.writerow(row | empty)
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Containers and numbers that JSON knows: NaN becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(report: AblationReport) -> str:
    """Every number of the report, with the fields' names of the dataclasses; shares are fractions."""
    return json.dumps(_plain(_fields(report)), indent=2, ensure_ascii=False) + "\n"


def _fields(report: AblationReport) -> dict[str, Any]:
    found = {
        "metric": report.metric,
        **dataclasses.asdict(dataclasses.replace(report, tuned=None, slices=None)),
    }
    if report.doubts is not None:  # its faces are in the CSV
        found["doubts"] = {key: value for key, value in found["doubts"].items() if key != "faces"}
        found["doubts"]["n_doubtful"] = len(report.doubts.faces)
    if report.slices is not None:  # its faces, too
        found["slices"] = slices_numbers(report.slices)
    found["smallest_effect"] = report.smallest_effect
    return found | {"tuned": None if report.tuned is None else _fields(report.tuned)}


def _write(path: Path, text: str) -> Path:
    write_text(path, text)
    return path


def write_report(
    report: AblationReport, folder: Path | str, steps: Sequence[Step] | None = None
) -> dict[str, Path]:
    """Write ``report.txt``, ``.md``, ``.csv``, ``.json`` and ``effects.png``, and what else the report has.

    That is ``effects_tuned.png``, ``calibration.csv`` and ``.png``, and ``doubtful_labels.csv``.

    `steps` are what the text ends with: see `to_text`.

    Returns
    -------
    The paths by "txt", "md", "csv", "json", "effects", "effects_tuned", "calibration", "calibration_csv" and
    "doubtful_labels".
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "txt": _write(folder / "report.txt", to_text(report, steps=steps)),
        "md": _write(folder / "report.md", to_markdown(report, steps)),
    }
    return paths | write_numbers(report, folder)


def write_numbers(report: AblationReport, folder: Path) -> dict[str, Path]:
    """Write the tables and figures of a report; see `write_report`."""
    paths = {
        "csv": _write(folder / "report.csv", to_csv(report)),
        "json": _write(folder / "report.json", to_json(report)),
        "effects": save_figure(plot_effects(effects_data(report)), folder / "effects.png"),
    }
    if report.tuned is not None:
        figure = plot_effects(effects_data(report.tuned))
        paths["effects_tuned"] = save_figure(figure, folder / "effects_tuned.png")
    return paths | _write_label_files(report, folder)


def _write_label_files(report: AblationReport, folder: Path) -> dict[str, Path]:
    paths, about = {}, (report.data_name, report.synthetic)
    if report.calibration:
        figure = plot_calibration(report.calibration, data_label(*about))
        paths["calibration"] = save_figure(figure, folder / "calibration.png")
        text = calibration_csv(report.calibration, *about)
        paths["calibration_csv"] = _write(folder / CALIBRATION_FILE, text)
    if report.doubts is not None:
        paths["doubtful_labels"] = _write(folder / DOUBTS_FILE, doubts_csv(report.doubts, *about))
    return paths
