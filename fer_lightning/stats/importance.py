"""How much of a metric's variance each factor or hyperparameter explains: fANOVA, through Optuna.

Optuna's default (PED-ANOVA) asks which parameter tells the best trials from the others, and gave 0.3 % to a factor
that explains 99 % of an ablation's variance; fANOVA (Hutter, Hoos & Leyton-Brown 2014,
https://proceedings.mlr.press/v32/hutter14.html) asks what is wanted here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution

from fer_lightning.errors import DataError
from fer_lightning.stats.records import ArmRun

# A forest on fewer trials of a search says which parameter its few splits fell on, not which one matters.
LEAST_TRIALS = 10


def study_importance(
    study: optuna.Study,
    seed: int = 0,
    target: Callable[[optuna.trial.FrozenTrial], float] | None = None,
) -> dict[str, float]:
    """Share of each parameter in the metric's variance over the complete trials, the largest first; they sum to 1.

    Parameters
    ----------
    study : parameters that only some complete trials have (conditional ones) or that are the same in all of them are
        left out
    seed : of the forest
    target : what of a trial is explained; needed for a study with several objectives

    Raises
    ------
    DataError
        Fewer than two complete trials, or all with one value, or no parameter that varies.
    """
    done = _complete(study)
    values = {target(trial) if target else trial.value for trial in done}
    values = {value for value in values if value is not None and math.isfinite(value)}
    if len(done) < 2 or len(values) < 2:
        raise DataError(
            f"{len(done)} complete trials with {len(values)} different values; importance needs 2 of each"
        )
    varying = [
        name
        for name in done[0].params
        if all(name in trial.params for trial in done) and len({trial.params[name] for trial in done}) > 1
    ]
    if not varying:
        raise DataError(f"no parameter varies over the {len(done)} complete trials; expected at least one")
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=varying, target=target)
    return {name: float(share) for name, share in found.items()}


def objective_importance(study: optuna.Study, objective: int = 0) -> dict[str, float]:
    """:func:`study_importance` of one of a study's objectives; empty where it cannot be told.

    That is also with fewer than `LEAST_TRIALS` complete trials, and where a single parameter varies: its share is
    always 1.
    """
    if len(_complete(study)) < LEAST_TRIALS:
        return {}
    try:
        found = study_importance(study, target=lambda trial: trial.values[objective])
        return found if len(found) > 1 else {}
    except DataError:
        return {}


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the complete trials with a finite value."""
    return [
        trial
        for trial in study.trials
        if trial.state == optuna.trial.TrialState.COMPLETE and all(map(math.isfinite, trial.values))
    ]


def factor_importance(runs: Sequence[ArmRun], seed: int = 0, *, with_seed: bool = True) -> dict[str, float]:
    """Share of each factor (and, if wanted, of the training seed) in the metric's variance over complete runs.

    Raises
    ------
    DataError
        No factor varies, or there are too few runs.
    """
    complete = [run for run in runs if run.complete]
    rows = [{**run.levels, **({"seed": str(run.seed)} if with_seed else {})} for run in complete]
    names = list(dict.fromkeys(name for row in rows for name in row))
    levels = {name: sorted({row[name] for row in rows if name in row}) for name in names}
    varying = [name for name in names if len(levels[name]) > 1 and all(name in row for row in rows)]
    if not [name for name in varying if name != "seed"]:
        raise DataError("no factor varies over the complete runs: expected at least one with two levels")
    space: dict[str, BaseDistribution] = {name: CategoricalDistribution(levels[name]) for name in varying}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.create_trial(
            params={name: row[name] for name in varying}, distributions=space, value=float(run.value or 0.0)
        )
        for run, row in zip(complete, rows, strict=True)
    )
    return study_importance(study, seed)
