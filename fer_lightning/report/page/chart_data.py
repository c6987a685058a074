"""The numbers behind the page's drawings: effects of an ablation; history and importance of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fer_lightning.config.objective import Objective
from fer_lightning.plots.search import history_data
from fer_lightning.report import cells
from fer_lightning.report.effects import effects_data
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.importance import objective_importance

if TYPE_CHECKING:
    import optuna

    from fer_lightning.sweeps.study.results import Trial

_DIGITS = 5


def forest(report: AblationReport) -> dict[str, Any]:
    """The rows of a forest plot in the report's order, in the unit of its axis (points for a share)."""
    drawn = effects_data(report)
    by_arm = {row.arm: row for row in drawn.rows}
    rows = []
    for row in report.arms:
        effect = by_arm.get(row.arm)
        drawing = None
        if effect is not None:
            drawing = {
                "mean": rounded(effect.mean),
                "low": rounded(effect.low),
                "high": rounded(effect.high),
                "seeds": [rounded(value) for value in effect.seeds],
                "of": list(row.effect.seeds) if row.effect else [],
            }
        rows.append({"arm": row.arm, "verdict": row.verdict, "effect": drawing})
    return {
        "limit": rounded(drawn.limit),
        "label": drawn.x_label,
        "rows": rows,
        "higher": report.objective.higher_is_better,
        "digits": report.objective.digits,
    }


def forest_cells(report: AblationReport) -> list[dict[str, str]]:
    """What stands beside each row of the forest plot, as in every other form of the report."""
    return [
        {
            "arm": row.arm,
            "seeds": cells.repeats(report, row),
            "mean": cells.mean_sd(report, row),
            "difference": cells.difference(report, row),
            "p": cells.p_value(row.p_holm),
            "verdict": row.verdict,
            "seconds": cells.seconds(row.seconds),
            "left_out": cells.left_out(row),
        }
        for row in report.arms
    ]


def search_drawings(
    study: optuna.Study, objective: Objective, importance: dict[str, float] | None = None
) -> dict[str, Any]:
    """History and importance of a search; the importance is empty where it cannot be told."""
    trials = study.get_trials(deepcopy=False)
    history = history_data(trials, objective.name, maximize=objective.higher_is_better)
    shares = objective_importance(study) if importance is None else importance
    return {
        "history": {
            "complete": [[number, rounded(value)] for number, value in history.complete],
            "pruned": [[number, rounded(value)] for number, value in history.pruned],
            "infeasible": [[number, rounded(value)] for number, value in history.infeasible],
            "failed": list(history.failed),
            "best": [[number, rounded(value)] for number, value in history.best],
        },
        "importance": [[name, rounded(share)] for name, share in shares.items()],
    }


def curves_of(trial: Trial, metric: str) -> dict[str, Sequence[float | None]]:
    """The learning curves of a run: "epoch" (from 1) and each metric of training and validation, one value an epoch.

    None where a metric was not measured; recalls of single classes are left out. Where the folder has no curves,
    it is the metric that the trial reported to its study.
    """
    rows = [row for row in trial.run.metrics if "epoch" in row]
    names = sorted({key for row in rows for key in row if key.startswith(("train/", "val/"))})
    if rows:
        return {"epoch": [row["epoch"] + 1 for row in rows]} | {
            name: [rounded(row.get(name)) for row in rows] for name in names if "/recall/" not in name
        }
    steps = sorted(trial.intermediate)
    if not steps:
        return {}
    return {
        "epoch": [float(step + 1) for step in steps],
        metric: [rounded(trial.intermediate[step]) for step in steps],
    }


def rounded(value: Any, digits: int = _DIGITS) -> float | None:
    """A number to so many significant digits, for the page's size; None where it is none or not finite."""
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(f"{float(value):.{digits}g}")
