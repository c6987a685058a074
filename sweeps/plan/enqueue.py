"""A plan's trials in the study's queue: each exactly once, those of a tuned arm when its settings are known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.sweeps.plan.plan import Plan
from fer_lightning.sweeps.plan.planned_trial import PlannedTrial, Stage, TrialKey
from fer_lightning.sweeps.plan.tuning import choose


def key_of_trial(trial: FrozenTrial) -> TrialKey | None:
    """The place of a plan's trial in the plan; None for a trial of a search."""
    attrs = trial.user_attrs
    if "arm" not in attrs:
        return None
    stage = Stage(attrs.get("stage", Stage.PLAIN))
    point = int(attrs.get("point", 0)) if stage == Stage.TUNING else 0
    fold = attrs.get("fold")
    return TrialKey(str(attrs["arm"]), int(attrs["seed"]), stage, point, None if fold is None else int(fold))


def enqueue(study: optuna.Study, plan: Plan, *, maximize: bool, retry_failed: bool = False) -> int:
    """Enqueue the plan's trials that the study lacks, in the plan's order. Needs the claim lock.

    Failed tuning trials are not tried again: an arm's choice must not change once it is compared at it.

    Returns
    -------
    How many trials the plan will have in all, as far as is known: an arm that keeps its own settings has no
    tuned trials, since they would repeat its plain ones.
    """
    latest = latest_by_key(study.get_trials(deepcopy=False))
    planned_trials = [*plan.plain_trials, *plan.tuning_trials]
    size = plan.size
    for arm in plan.arms if plan.tuning is not None else ():
        point = chosen_point(latest.values(), arm.name, maximize=maximize)
        if point is not None:
            tuned = plan.tuned_trials(arm, point)
            planned_trials += tuned
            size -= len(plan.seeds) * (plan.folds or 1) - len(tuned)
    for planned in planned_trials:
        present = latest.get(planned.key)
        again = retry_failed and present is not None and present.state == TrialState.FAIL
        if present is None or (again and planned.stage != Stage.TUNING):
            study.enqueue_trial(planned.params, user_attrs=_attrs(planned))
    return size


def latest_by_key(trials: Iterable[FrozenTrial]) -> dict[TrialKey, FrozenTrial]:
    """The last trial of each place in the plan: a failed one may have been run once more."""
    return {key: trial for trial in trials if (key := key_of_trial(trial)) is not None}


def chosen_point(trials: Iterable[FrozenTrial], arm: str, *, maximize: bool) -> int | None:
    """The point that an arm's tuning trials choose; None while they are not all done, or there are none."""
    tries = [
        (key.point, trial.state.name, trial.values[0] if trial.values else None)
        for trial in trials
        if (key := key_of_trial(trial)) is not None and key.stage == Stage.TUNING and key.arm == arm
    ]
    return choose(tries, maximize=maximize) if tries else None


def _attrs(planned: PlannedTrial) -> dict[str, Any]:
    attrs = {"arm": planned.arm.name, "seed": planned.seed, "overrides": planned.overrides}
    if planned.fold is not None:
        attrs["fold"] = planned.fold
    if planned.stage != Stage.PLAIN:
        attrs |= {"stage": planned.stage.value, "point": planned.point, "settings": dict(planned.settings)}
    return attrs
