"""A plan's trials in the study's queue: each exactly once, those of a tuned arm when its settings are known."""

from __future__ import annotations

from collections.abc import Iterable

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from fer_lightning.sweeps.plan.plan import Plan
from fer_lightning.sweeps.plan.planned_trial import PLAIN, TUNING, Cell, CellKey
from fer_lightning.sweeps.plan.tuning import choose


def cell_of(trial: FrozenTrial) -> CellKey | None:
    """The place of a plan's trial in the plan; None for a trial of a search."""
    attrs = trial.user_attrs
    if "arm" not in attrs:
        return None
    stage = str(attrs.get("stage", PLAIN))
    point = int(attrs.get("point", 0)) if stage == TUNING else 0
    return CellKey(str(attrs["arm"]), int(attrs["seed"]), stage, point)


def enqueue(study: optuna.Study, plan: Plan, *, maximize: bool, retry_failed: bool = False) -> int:
    """Enqueue the plan's trials that the study lacks, in the plan's order. Needs the claim lock.

    Failed tuning trials are not tried again: an arm's choice must not change once it is compared at it.

    Returns
    -------
    How many trials the plan will have in all, as far as is known: an arm that keeps its own settings has no
    tuned trials, since they would repeat its plain ones.
    """
    latest = latest_by_cell(study.get_trials(deepcopy=False))
    cells = [*plan.cells, *plan.tuning_cells]
    size = plan.size
    for arm in plan.arms if plan.tuning is not None else ():
        point = chosen_point(latest.values(), arm.name, maximize=maximize)
        if point is not None:
            found = plan.tuned_cells(arm, point)
            cells += found
            size -= len(plan.seeds) - len(found)
    for cell in cells:
        present = latest.get(cell.key)
        again = retry_failed and present is not None and present.state == TrialState.FAIL
        if present is None or (again and cell.stage != TUNING):
            study.add_trial(_waiting(cell))
    return size


def latest_by_cell(trials: Iterable[FrozenTrial]) -> dict[CellKey, FrozenTrial]:
    """The last trial of each place in the plan: a failed one may have been run once more."""
    return {cell: trial for trial in trials if (cell := cell_of(trial)) is not None}


def chosen_point(trials: Iterable[FrozenTrial], arm: str, *, maximize: bool) -> int | None:
    """The point that an arm's tuning trials choose; None while they are not all done, or there are none."""
    tries = [
        (cell.point, trial.state.name, trial.values[0] if trial.values else None)
        for trial in trials
        if (cell := cell_of(trial)) is not None and cell.stage == TUNING and cell.arm == arm
    ]
    return choose(tries, maximize=maximize) if tries else None


def _waiting(cell: Cell) -> FrozenTrial:
    attrs = {"arm": cell.arm.name, "seed": cell.seed, "overrides": cell.overrides}
    if cell.stage != PLAIN:
        attrs |= {"stage": cell.stage, "point": cell.point, "settings": dict(cell.settings)}
    return create_trial(
        state=TrialState.WAITING, system_attrs={"fixed_params": cell.params}, user_attrs=attrs
    )
