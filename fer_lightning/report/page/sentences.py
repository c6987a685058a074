"""What the page says in words: the question, the verdicts, and the runs that no number counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.objective import Objective
from fer_lightning.messages import counted
from fer_lightning.report import cells
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_summary import ArmSummary
from fer_lightning.stats.importance import LEAST_TRIALS

if TYPE_CHECKING:
    from fer_lightning.sweeps.study.results import Trial

STATES = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


INFEASIBLE = "infeasible"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as English enumerates them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def state_of(trial: Trial) -> str:
    """A trial's state as the page calls it; one that finished without a finite value has failed."""
    if trial.superseded:
        return "failed, run again"
    if trial.infeasible:
        return INFEASIBLE
    if trial.state == "COMPLETE" and not (trial.value is not None and math.isfinite(trial.value)):
        return "failed"
    return STATES[trial.state]


def ablation_question(report: AblationReport) -> str:
    """The question that an ablation asks."""
    levels = [row.levels for row in report.arms]
    factors = [name for name in levels[0] if len({row.get(name) for row in levels}) > 1] if levels else []
    subject = listed([name.rsplit(".", 1)[-1] for name in factors], "or") or "any of the arms"
    return f"Does {subject} change {report.metric}?"


def search_question(names: Sequence[str], objective: Objective) -> str:
    """The question that a search asks."""
    wanted = listed([name.rsplit(".", 1)[-1] for name in names]) or "settings"
    return (
        f"Which {wanted} give the {'highest' if objective.higher_is_better else 'lowest'} {objective.name}?"
    )


def verdict_sentences(report: AblationReport) -> list[tuple[str, str]]:
    """One sentence a verdict that was given, the decided ones first; each with its word."""
    arms = {
        word: [row for row in report.arms if row.verdict == word]
        for word in ("better", "worse", "no difference found", "no spread between seeds", "not enough seeds")
    }
    baseline, found = report.baseline, []
    note = f" ({report.objective.direction_note})" if report.objective.direction_note else ""
    tested = arms["better"] or arms["worse"] or arms["no difference found"]
    for word in ("better", "worse"):
        if arms[word]:
            named = listed([_with_difference(report, row) for row in arms[word]])
            found.append((word, f"{word.capitalize()} than {baseline}{note}: {named}."))
    if tested and not arms["better"]:
        found.append(("no difference found", f"No arm is better than {baseline}."))
    if arms["no difference found"]:
        named = listed([row.arm for row in arms["no difference found"]])
        small = (
            f"; a true difference under {cells.number(report, report.detectable)}{cells.unit(report)} "
            f"would mostly go unseen with {counted(len(report.seeds), 'seed')}"
            if report.detectable
            else ""
        )
        found.append(("no difference found", f"No difference found for {named}{small}."))
    if arms["no spread between seeds"]:
        named = listed([_with_difference(report, row) for row in arms["no spread between seeds"]])
        found.append(
            (
                "no spread between seeds",
                f"Every seed gives the same difference for {named}: no spread to test.",
            )
        )
    if arms["not enough seeds"]:
        named = listed([row.arm for row in arms["not enough seeds"]])
        found.append(("not enough seeds", f"Not enough seeds to judge {named}."))
    return found


def _with_difference(report: AblationReport, row: ArmSummary) -> str:
    return f"{row.arm} ({cells.difference(report, row)}{cells.unit(report)})"


def search_sentences(
    trials: Sequence[Trial],
    objective: Objective,
    importance: Mapping[str, float],
    *,
    is_confirmed: bool = False,
) -> list[tuple[str, str]]:
    """The best trial, what mattered most, and, where that is not confirmed, what a best value is worth."""
    done = [trial for trial in trials if state_of(trial) == "complete"]
    if not done:
        return [("not enough seeds", "No trial is complete yet.")]
    best = min(done, key=lambda trial: objective.sort_key(trial.value or 0.0))
    chosen = listed([f"{key} {_short(value)}" for key, value in best.params.items()])
    value = objective.shown(best.value or 0.0)
    found = [
        # What is confirmed has its verdict.
        (
            "no difference found",
            f"Best of the search: run {best.number}, {objective.name} {value}, with {chosen}.",
        )
        if is_confirmed
        else ("better", f"Best: run {best.number}, {objective.name} {value}, with {chosen}.")
    ]
    if len(done) < LEAST_TRIALS:
        found.append(
            (
                "not enough seeds",
                f"Too few complete trials ({len(done)}, at least {LEAST_TRIALS} are needed) to tell which setting "
                "matters most.",
            )
        )
    elif len(importance) > 1:  # a single one explains everything that is explained
        name, share = max(importance.items(), key=lambda item: item[1])
        found.append(
            (
                "no difference found",
                f"{name} matters most: it explains {100 * share:.0f} % of the variance (fANOVA).",
            )
        )
    if is_confirmed:
        return found
    caution = f"The best of {counted(len(done), 'single run')} is picked on the data that it is measured on"
    found.append(
        (
            "not enough seeds",
            f"{caution}: expect a worse value from a new seed, and confirm it (hydra.sweeper.confirm=3).",
        )
    )
    return found


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(shown_value(value))


def lost_lines(trials: Sequence[Trial]) -> list[tuple[str, str, list[str]]]:
    """State, reason and names of the runs that failed, were pruned or are not finished; equal reasons once."""
    order = ("failed", "failed, run again", INFEASIBLE, "pruned", "running", "waiting")
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        state = state_of(trial)
        if state in order:
            if state == "failed" and trial.state == "COMPLETE":
                reason = "no finite value"
            else:
                reason = trial.reason or ("reason not recorded" if state.startswith("failed") else "")
            groups.setdefault((state, reason), []).append(run_name(trial))
    return [
        (state, reason, names)
        for (state, reason), names in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
    ]


def run_name(trial: Trial) -> str:
    """How a run is called: its number, and of an ablation its arm, seed and fold."""
    if trial.arm is None:
        return f"{trial.number}"
    if trial.stage == "confirm":
        return f"{trial.number} (confirms {trial.arm}, seed {trial.seed})"
    fold = "" if trial.fold is None else f", fold {trial.fold}"
    return f"{trial.number} ({trial.arm}, seed {trial.seed}{fold})"
