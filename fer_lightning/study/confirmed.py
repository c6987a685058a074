"""The confirmation of a search, from its trials to the verdicts on its best settings."""

from __future__ import annotations

from collections.abc import Sequence

from fer_lightning.config.objective import VAL_ACC, Objective
from fer_lightning.messages import counted
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.winners_curse import Confirmed, claims_of
from fer_lightning.study.arms import arm_runs
from fer_lightning.study.verdicts import any_record
from fer_lightning.sweeps.plan.confirmation import CONFIRMS, DEFAULT_ARM
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.results import Trial


def judge_confirmation(
    trials: Sequence[Trial], objective: Objective, rules: Rules | None = None
) -> Confirmed | None:
    """Judge the settings that a search's confirmation has run; None where it has run none.

    Parameters
    ----------
    trials
        All of the study.
    objective
        What the study is judged by.
    rules
        When a setting is called better or worse than the configuration's own.
    """
    runs = arm_runs(trials, Stage.CONFIRM)
    if not runs:
        return None
    numbers = {
        t.arm: int(t.attrs[CONFIRMS]) for t in trials if t.stage == Stage.CONFIRM and CONFIRMS in t.attrs
    }
    values = {trial.number: trial.value for trial in trials}
    data = any_record(trials).get("data", {})
    searched = [trial for trial in trials if trial.stage != Stage.CONFIRM]
    report = ablation_report(
        runs,
        baseline=DEFAULT_ARM,
        objective=objective,
        use_logits=objective.is_accuracy and objective.name == VAL_ACC,
        data_name=data.get("name", ""),
        synthetic=bool(data.get("synthetic", False)),
        title=f"Confirmation of {counted(len(numbers), 'setting')} of a search of {counted(len(searched), 'trial')}",
        rules=rules,
    )
    claimed = [(str(arm), values[number]) for arm, number in numbers.items()]
    known = [(arm, value) for arm, value in claimed if value is not None]
    known.sort(key=lambda pair: objective.sort_key(pair[1]))
    return Confirmed(report, claims_of(report, known))
