"""Whether a study that has ended found anything: an arm or a search whose every run failed did not."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from fer_lightning.config.typed import shown
from fer_lightning.errors import RunsFailedError
from fer_lightning.sweeps.jobs.error_file import ERROR_FILE
from fer_lightning.sweeps.plan.confirmation import is_confirming, search_trials
from fer_lightning.sweeps.plan.enqueue import key_of_trial
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.taken import own_trials

_SHOWN = 3


def failure_of(trials: Sequence[FrozenTrial], spec: StudySpec) -> RunsFailedError | None:
    """Return the error of a study in which a search, or all runs of an arm, failed; None where there is none.

    Parameters
    ----------
    trials
        The study's trials that belong to the command, of which none is at work any more.
    """
    ended = [trial for trial in own_trials(trials) if trial.state.is_finished()]
    groups = (
        _of_search(ended) if spec.plan is None else {a.name: _runs_of(a.name, ended) for a in spec.plan.arms}
    )
    failed = {name: runs for name, runs in groups.items() if runs and all(map(_has_failed, runs))}
    if not failed:
        return None
    last = next(iter(failed.values()))[-1]
    reason = last.user_attrs.get("reason", "no reason is known")
    if len(failed) < len(groups) and spec.options.max_failure_rate == 1.0:
        return None  # an arm may fail, as the command says
    if len(failed) == len(groups):
        which = f"all of its {len(ended)} trials" if len(ended) > 1 else "its only trial"
        traced = spec.sweep_dir / last.user_attrs.get("directory", "") / ERROR_FILE
        if spec.options.max_failure_rate == 1.0 and traced.is_file():
            # As with hydra-optuna-sweeper, whose users say so that no failure is worth an error at the end.
            return RunsFailedError(f"study {spec.name}: {which} failed; the last left {shown(traced)}")
        return RunsFailedError(f"study {spec.name}: {which} failed; the last: {reason}")
    named = ", ".join(list(failed)[:_SHOWN]) + (
        f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    )
    return RunsFailedError(f"study {spec.name}: every run failed of {named}: {reason}")


def _of_search(trials: Sequence[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
    """The search itself, and the arms that confirm it."""
    arms: dict[str, list[FrozenTrial]] = {"the search": search_trials(trials)}
    for trial in filter(is_confirming, trials):
        arms.setdefault(str(trial.user_attrs["arm"]), []).append(trial)
    return arms


def _runs_of(arm: str, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    keyed = ((key_of_trial(trial), trial) for trial in trials)
    return [trial for key, trial in keyed if key is not None and key.arm == arm and key.stage == Stage.PLAIN]


def _has_failed(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL
