"""From the trials of an ablation study to the runs that the statistics compare, plain and tuned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fer_lightning.stats.arm_tuning import ArmTuning, TuningPart
from fer_lightning.stats.cross_validation import out_of_fold
from fer_lightning.stats.records import ArmRun
from fer_lightning.sweeps.plan.planned_trial import PREFIX, Stage
from fer_lightning.sweeps.plan.tuning import choose
from fer_lightning.sweeps.study.results import Trial


def arm_runs(trials: Sequence[Trial], stage: str = Stage.PLAIN) -> list[ArmRun]:
    """Return the trials of an ablation plan as the runs that the statistics compare; a seed's folds are one.

    Parameters
    ----------
    trials
        All of the study.
    stage
        "plain" for the arms at the command's settings, "tuned" for those at settings of their own, "tuning" for
        the search of these.
    """
    chosen = [
        trial
        for trial in trials
        if trial.arm is not None and trial.seed is not None and not trial.superseded and trial.stage == stage
    ]
    folds = {trial.fold for trial in chosen} - {None}
    if not folds or stage == Stage.TUNING:
        return [_arm_run(trial) for trial in chosen]
    by_seed: dict[tuple[str | None, int | None], list[Trial]] = {}
    for trial in chosen:
        by_seed.setdefault((trial.arm, trial.seed), []).append(trial)
    return [
        out_of_fold(
            [_arm_run(trial) for trial in sorted(group, key=lambda trial: trial.fold or 0)], len(folds)
        )
        for group in by_seed.values()
    ]


def _arm_run(trial: Trial) -> ArmRun:
    assert trial.arm is not None
    assert trial.seed is not None
    levels = {
        key: str(value)
        for key, value in trial.params.items()
        if key != "seed" and not key.startswith(PREFIX) and not (key == "fold" and trial.fold is not None)
    }
    return ArmRun(
        arm=trial.arm,
        seed=trial.seed,
        state=trial.state,
        levels=levels,
        value=trial.value,
        seconds=trial.seconds,
        reason=trial.reason,
        run=trial.run,
    )


def tuned_runs(trials: Sequence[Trial], *, maximize: bool = True) -> tuple[list[ArmRun], TuningPart] | None:
    """Return every arm's runs at its own tuned settings, and how these were found; None if nothing was tuned.

    An arm that keeps the settings it has stands with its plain runs, which its tuned ones would repeat. One whose
    search is not done, and a run that has not been enqueued, count as unfinished.

    Parameters
    ----------
    maximize
        Whether more of the first objective is better.
    """
    tries = [trial for trial in trials if trial.stage == Stage.TUNING and not trial.superseded]
    if not tries:
        return None
    plain = arm_runs(trials)
    made = {(run.arm, run.seed): run for run in arm_runs(trials, Stage.TUNED)}
    names = dict.fromkeys(run.arm for run in plain)
    found = {name: _search([t for t in tries if t.arm == name], name, maximize=maximize) for name in names}
    runs = [
        run
        if found[run.arm].point == 0
        else made.get((run.arm, run.seed), ArmRun(run.arm, run.seed, state="WAITING", levels=run.levels))
        for run in plain
    ]
    parameters = dict.fromkeys(name for trial in tries for name in trial.attrs.get("settings", {}))
    return runs, TuningPart(int(tries[0].seed or 0), tuple(parameters), tuple(found.values()))


def _search(tries: Sequence[Trial], arm: str, *, maximize: bool) -> ArmTuning:
    by_point = {int(trial.attrs["point"]): trial for trial in tries}
    # Without a trial there was nothing to tune in this arm.
    point = choose(((n, t.state, t.value) for n, t in by_point.items()), maximize=maximize) if by_point else 0
    chosen = None if point is None else by_point.get(point)
    states = Counter(trial.state for trial in tries)
    reasons = (trial.reason for trial in tries if trial.state == "FAIL")
    return ArmTuning(
        arm=arm,
        point=point,
        settings={} if chosen is None else dict(chosen.attrs["settings"]),
        value=_complete_value(chosen),
        own_value=_complete_value(by_point.get(0)),
        n_complete=states["COMPLETE"],
        n_pruned=states["PRUNED"],
        n_failed=states["FAIL"],
        n_unfinished=states["RUNNING"] + states["WAITING"],
        seconds=sum(trial.seconds or 0.0 for trial in tries),
        failures=tuple(dict.fromkeys(reason for reason in reasons if reason)),
    )


def _complete_value(trial: Trial | None) -> float | None:
    return trial.value if trial is not None and trial.state == "COMPLETE" else None
