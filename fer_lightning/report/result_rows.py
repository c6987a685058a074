"""What a study found, as tables whose cells are numbers: one row an arm, or one row a trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fer_lightning.config.objective import Objective
from fer_lightning.report import cells
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_summary import ArmSummary

if TYPE_CHECKING:
    from fer_lightning.sweeps.study.results import Trial

MOST_TRIALS: Final = 20
Rows = tuple[list[str], list[list[Any]]]


def verdict_rows(report: AblationReport) -> Rows:
    """Return the header and a row an arm, in the report's order and unit: a share in per cent, times in seconds.

    Rows of tuned settings follow, where the arms were tuned; a column then says which is which.
    """
    parts = [part for part in (report, report.tuned) if part is not None]
    level = f"{100 * report.rules.confidence:g} %"
    header = [
        *(["settings"] if len(parts) > 1 else []),
        *("arm", "seeds", report.objective.heading, "sd", f"difference from {report.baseline}"),
        *(f"low ({level})", f"high ({level})", "p (Holm)", "verdict", "s/run", "left out"),
    ]
    rows = [
        [*([name] if len(parts) > 1 else []), *_arm(part, row)]
        for name, part in zip(("as given", "tuned"), parts, strict=False)
        for row in part.arms
    ]
    return header, rows


def _arm(report: AblationReport, row: ArmSummary) -> list[Any]:
    scale, effect = report.objective.scale, row.effect
    differences = (None,) * 3 if effect is None else (effect.mean, effect.low, effect.high)
    return [
        row.arm,
        len(row.seeds),
        *(_number(value, scale) for value in (row.mean, row.sd, *differences)),
        _number(row.p_holm),
        row.verdict,
        _number(row.seconds),
        cells.left_out(row),
    ]


def trial_rows(trials: Sequence[Trial], objective: Objective, most: int = MOST_TRIALS) -> Rows:
    """Return the header and the best trials of a search: number, value in the report's unit, seconds, parameters."""
    done = [(trial, trial.value) for trial in trials if trial.can_win and trial.value is not None]
    done.sort(key=lambda pair: objective.sort_key(pair[1]))
    chosen = done[:most]
    names = list(dict.fromkeys(name for trial, _ in chosen for name in trial.params))
    rows = [
        [
            trial.number,
            _number(value, objective.scale),
            _number(trial.seconds),
            *(_setting(trial.params.get(name)) for name in names),
        ]
        for trial, value in chosen
    ]
    return ["trial", objective.heading, "seconds", *names], rows


def _number(value: float | None, scale: float = 1.0) -> float | None:
    """A number to eight significant digits; None where there is none."""
    return None if value is None or not math.isfinite(value) else float(f"{scale * value:.8g}")


def _setting(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
