"""When a search ends: its number of trials, its budget, or no better one for too long; then it is confirmed."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.plan.confirmation import best_of, is_confirming, search_trials
from fer_lightning.sweeps.queue.recovery import SPENT, seconds_since_start
from fer_lightning.sweeps.study.constraints import is_untrained
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.promoted import own_steps, without_promoted
from fer_lightning.sweeps.study.taken import own_trials

# The study's attribute that says which limits ended its search before the confirmation began, and why.
_ENDED = "ended"


class Ending:
    """Whether a study begins another trial, and what follows its search.

    Attributes
    ----------
    limit
        Which of its limits beside the number of trials the study has reached, in words; None while it has reached none.
    """

    def __init__(self, study: optuna.Study, spec: StudySpec) -> None:
        self._study = study
        self._spec = spec
        self._wanted = spec.budget
        self.limit: str | None = None

    def goes_on(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether a search is to begin another trial."""
        begun = sum(
            trial.state != TrialState.WAITING for trial in without_promoted(own_trials(search_trials(trials)))
        )
        return (self._wanted is None or begun < self._wanted) and not self.at_limit(trials)

    def at_limit(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether the study has reached one of its limits; see `limit`."""
        limits = self._spec.options.limits
        if limits:
            ended = self._study.user_attrs.get(_ENDED, {})
            # The confirmation may cost less than was kept back for it: the search has ended all the same.
            kept = ended.get("limits") == limits
            self.limit = str(ended["reason"]) if kept else reached_limit(self._spec, trials)
        return self.limit is not None

    def next_confirming(self) -> FrozenTrial | None:
        """The next trial that confirms a setting, once no trial of the search runs. Needs the claim lock."""
        confirmation, trials = self._spec.confirmation, self._study.get_trials(deepcopy=False)
        if confirmation is None or any(t.state == TrialState.RUNNING for t in search_trials(trials)):
            return None
        ended = {"limits": self._spec.options.limits, "reason": self.limit}
        if self.limit is not None and self._study.user_attrs.get(_ENDED) != ended:
            self._study.set_user_attr(_ENDED, ended)
        confirmation.enqueue(self._study, maximize=self._spec.maximize)
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return next(filter(is_confirming, waiting), None)

    def size(self, trials: Sequence[FrozenTrial]) -> int | None:
        """How many trials a search with its confirmation comes to; None while that is open."""
        assert self._spec.confirmation is not None
        searched = search_trials(trials)
        begun = sum(trial.state != TrialState.WAITING for trial in without_promoted(own_trials(searched)))
        confirming = len(trials) - len(searched)
        if self.limit is not None or (confirming and self._wanted is None):
            return begun + confirming
        return None if self._wanted is None else self._wanted + (confirming or self._spec.confirmation.size)


def reached_limit(spec: StudySpec, trials: Sequence[FrozenTrial]) -> str | None:
    """Which of the study's limits its trials have reached, in words; None while another may begin.

    Everything is read off the stored trials, so that it comes out the same in every process and after a restart.

    Raises
    ------
    ConfigError
        The epochs are to end a study whose trials report none.
    """
    limits = spec.options.limits
    everything, trials = search_trials(trials), own_trials(trials)
    searched = search_trials(trials)
    kept_back = _confirmation_cost(spec, trials)
    if (minutes := limits.get("budget.minutes")) is not None:
        spent = sum(map(seconds_of, trials)) / 60
        if spent + kept_back * _mean([seconds_of(t) for t in searched if _done(t)]) / 60 >= minutes:
            return f"budget.minutes={minutes:g} is spent ({spent:.1f} min{_for_confirming(kept_back)})"
    if (epochs := limits.get("budget.epochs")) is not None:
        steps = sum(map(own_steps, trials))
        complete = [len(trial.intermediate_values) for trial in searched if _done(trial)]
        if complete and not any(complete):
            raise ConfigError(
                f"hydra.sweeper.budget.epochs={epochs:g}: no trial reports a step; expected n_trials or budget.minutes"
            )
        if steps + kept_back * _mean(complete) >= epochs:
            return f"budget.epochs={epochs:g} is spent ({steps} epochs{_for_confirming(kept_back)})"
    patience = limits.get("patience")
    if patience is not None and _since_best(everything, maximize=spec.maximize) >= patience:
        return f"patience={patience:g}: so many trials were no better"
    return None


def seconds_of(trial: FrozenTrial) -> float:
    """How long a trial has run so far, over all attempts."""
    running = seconds_since_start(trial) if trial.state == TrialState.RUNNING else 0.0
    earlier = float(trial.system_attrs.get(SPENT, 0.0))
    return max(float(trial.user_attrs.get("seconds", 0.0)), earlier + running)


def _confirmation_cost(spec: StudySpec, trials: Sequence[FrozenTrial]) -> int:
    """How many trials the confirmation has still to run."""
    if spec.confirmation is None:
        return 0
    ended = sum(is_confirming(trial) and trial.state.is_finished() for trial in trials)
    return max(0, spec.confirmation.size - ended)


def _for_confirming(trials: int) -> str:
    return f", the rest is kept for {trials} that confirm" if trials else ""


def _done(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _since_best(searched: Sequence[FrozenTrial], *, maximize: bool) -> int:
    """How many of the study's own trials have ended that began after the best one, the untrained ones left out."""
    best = best_of(searched, maximize=maximize)
    if best is None:
        return 0
    later = [trial for trial in own_trials(searched) if trial.number > best.number]
    return sum(trial.state.is_finished() and not is_untrained(trial) for trial in later)
