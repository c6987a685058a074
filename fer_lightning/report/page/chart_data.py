"""The numbers behind the page's drawings: effects of an ablation; history and importance of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fer_lightning.config.objective import Objective
from fer_lightning.plots.forest import effects_data
from fer_lightning.plots.search import history_data, trial_records
from fer_lightning.report import cells
from fer_lightning.report.page.run_files import rounded
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.importance import objective_importance

if TYPE_CHECKING:
    import optuna

    from fer_lightning.sweeps.study.results import TrialRecord


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
            "seeds": str(len(row.seeds)),
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
    history = history_data(trial_records(study), objective.name, maximize=objective.higher_is_better)
    shares = objective_importance(study) if importance is None else importance
    return {
        "history": {
            "complete": [[number, rounded(value)] for number, value in history.complete],
            "pruned": [[number, rounded(value)] for number, value in history.pruned],
            "failed": list(history.failed),
            "best": [[number, rounded(value)] for number, value in history.best],
        },
        "importance": [[name, rounded(share)] for name, share in shares.items()],
    }


def last_value(trial: TrialRecord) -> float | None:
    """A run's value: of a pruned one the last that it reported."""
    if trial.value is not None or trial.state != "PRUNED" or not trial.intermediate:
        return trial.value
    return trial.intermediate[max(trial.intermediate)]


def log_parameters(study: optuna.Study) -> frozenset[str]:
    """Parameters that were searched on a logarithmic scale."""
    return frozenset(
        name
        for trial in study.get_trials(deepcopy=False)
        for name, space in trial.distributions.items()
        if getattr(space, "log", False)
    )


def curve_of(trial: TrialRecord, metric: str) -> dict[str, Sequence[float | None]]:
    """The learning curve that a trial reported to its study, where its folder has none."""
    if not trial.intermediate:
        return {}
    steps = sorted(trial.intermediate)
    return {
        "epoch": [float(step + 1) for step in steps],
        metric: [rounded(trial.intermediate[step]) for step in steps],
    }
