"""Claiming trials: exactly the study's budget, however many peers share it and whenever one of them dies."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.errors import RunsFailedError
from fer_lightning.sweeps.optuna_private import storage_of, trial_id
from fer_lightning.sweeps.plan.confirmation import search_part
from fer_lightning.sweeps.plan.enqueue import enqueue, latest_by_key
from fer_lightning.sweeps.queue.claim import Claim, Claimer
from fer_lightning.sweeps.queue.ending import Ending
from fer_lightning.sweeps.queue.owner import Owner
from fer_lightning.sweeps.queue.promotion import Promotion
from fer_lightning.sweeps.queue.recovery import ATTEMPTS, Recovery, requeue, seconds_since_start
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.objective_values import last_value
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.taken import own_trials
from fer_lightning.sweeps.study.trial_limits import TrialLimits


class TooManyFailuresError(RunsFailedError):
    """More of the study's trials have failed than its options allow."""


class TrialQueue:
    """The study's trials seen as work: what is waiting, running and done."""

    def __init__(self, study: optuna.Study, spec: StudySpec) -> None:
        self._study = study
        self._search = search_part(study)
        self._storage = storage_of(study)
        self._spec = spec
        self._budget = spec.budget
        self._recovery = Recovery(grace=spec.options.grace, max_deaths=spec.options.max_deaths)
        self._keys = None if spec.plan is None else spec.plan.trial_keys
        self._exhausted = False
        self._ending = Ending(study, spec)
        self._claimer = Claimer(study, spec)
        self._promotion = Promotion(study, spec)
        self._last_claims: list[Claim] = []
        with claim_lock(spec.url, spec.name):
            self._enqueue_tuned()

    @property
    def budget(self) -> int | None:
        """The study's total number of trials; it falls when a tuned arm keeps its own settings.

        None while it is open how many a search will come to.
        """
        return self._budget if self._spec.confirmation is None else self._ending.size(self.trials())

    @property
    def limit(self) -> str | None:
        """Which of its limits beside the number of trials the study has reached, in words."""
        return self._ending.limit

    @property
    def exhausted(self) -> bool:
        """Whether the last `claim` found nothing to claim and nobody at work, so that nothing can come any more."""
        return self._exhausted

    def claim(self, count: int) -> list[Claim]:
        """Claim up to `count` trials: what waits (the interrupted and the plan's) first, then new ones.

        Raises
        ------
        TooManyFailuresError
            If `max_failures` trials, or more than a share of `max_failure_rate`, have failed.
        """
        claims = self._last_claims = []
        with claim_lock(self._spec.url, self._spec.name):
            self._recovery.run(self._study, self._spec.sweep_dir)
            self._enqueue_tuned()
            while len(claims) < count:
                trials = self.trials()
                trial = self._next(trials)
                if trial is None:
                    break
                claims.append(self._claimer.own(trial, trials))
            # Asked under the lock, under which results are told too: afterwards the last tuning trial may have
            # ended, and its arm's comparisons would be missed.
            self._exhausted = not claims and not any(t.state == TrialState.RUNNING for t in self.trials())
        return claims

    @property
    def last_claims(self) -> list[Claim]:
        """What the last `claim` claimed, even if a signal kept it from returning."""
        return self._last_claims

    def _enqueue_tuned(self) -> None:
        """Enqueue the comparisons of the arms whose settings have become known."""
        plan, wanted = self._spec.plan, self._spec.options.n_trials
        if plan is not None and plan.tuning is not None:
            size = enqueue(self._study, plan, maximize=self._spec.maximize)
            self._budget = min(size, wanted or size)

    def trials(self) -> list[FrozenTrial]:
        """The study's trials that belong to this command: of a plan, the latest of each key."""
        trials = self._study.get_trials(deepcopy=False)
        if self._keys is None:
            return trials
        latest = latest_by_key(trials)
        ours = (trial for key, trial in latest.items() if key in self._keys)
        return sorted(ours, key=lambda trial: trial.number)

    def _next(self, trials: list[FrozenTrial]) -> optuna.Trial | None:
        self._stop_if_hopeless(trials)
        waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
        begun = [trial for trial in waiting if ATTEMPTS in trial.system_attrs]
        started = len(trials) - len(waiting) + len(begun)
        if begun:
            return self._resume(begun[0])
        if self._spec.plan is not None:
            done = started >= (self._budget or 0) or self._ending.at_limit(trials)
            return self._resume(waiting[0]) if waiting and not done else None
        if self._ending.goes_on(trials):
            promoted = self._promotion.next(trials)
            return self._ask() if promoted is None else self._resume(promoted)
        planned = self._ending.next_confirming()
        return None if planned is None else self._resume(planned)

    def _stop_if_hopeless(self, trials: list[FrozenTrial]) -> None:
        trials = own_trials(trials)
        limit, rate = self._spec.options.max_failures, self._spec.options.max_failure_rate
        failed = [trial for trial in trials if trial.state == TrialState.FAIL]
        ended = sum(trial.state.is_finished() for trial in trials)
        if limit is not None and len(failed) >= limit:
            said = f"max_failures={limit}"
        elif rate is not None and len(failed) > rate * ended:
            said = f"max_failure_rate={rate}"
        else:
            return
        last = failed[-1]
        raise TooManyFailuresError(
            f"study {self._spec.name} stopped: {len(failed)} of {len(trials)} trials failed ({said}); "
            f"the last, trial {last.number}: {last.user_attrs.get('reason', 'no reason is known')}"
        )

    def _resume(self, trial: FrozenTrial) -> optuna.Trial:
        # It has its parameters, so it does not matter which trials the study's sampler has seen.
        self._storage.set_trial_state_values(trial_id(trial), TrialState.RUNNING)
        return optuna.Trial(self._study, trial_id(trial))

    def _ask(self) -> optuna.Trial:
        with warnings.catch_warnings():
            # Optuna warns that its heartbeats need `optimize`; here the job itself sends them.
            warnings.simplefilter("ignore")
            self._search.sampler = self._study.sampler
            return self._search.ask()

    def requeue(self, claims: list[Claim]) -> None:
        """Put trials that this process holds and has not finished back into the queue."""
        with claim_lock(self._spec.url, self._spec.name):
            for claim in claims:
                trial = self._held(claim)
                if trial is not None:
                    requeue(self._storage, trial, seconds=seconds_since_start(trial))

    def tell(
        self,
        claim: Claim,
        state: TrialState,
        values: list[float] | None = None,
        reason: str | None = None,
    ) -> None:
        """Tell the result of a job that did not tell it itself, if this process still holds it."""
        if not self._runs(claim):
            return
        with claim_lock(self._spec.url, self._spec.name):
            trial = self._held(claim)
            if trial is None:
                return
            if reason is not None:
                self._storage.set_trial_user_attr(claim.trial_id, "reason", reason)
            if state == TrialState.PRUNED:
                values = last_value(trial)
            self._storage.set_trial_user_attr(claim.trial_id, "seconds", round(seconds_since_start(trial), 3))
            self._storage.set_trial_state_values(claim.trial_id, state, values)

    def judge(self, claim: Claim, told: Any, values: list[float]) -> None:
        """Measure a complete trial against the study's constraints.

        Raises
        ------
        ValueError
            A limited number is missing or not finite.
        """
        trial = self._held(claim) if self._spec.options.constraints else None
        if trial is None:
            return
        limits = TrialLimits.of(self._study, claim.trial_id)
        excess, reason = limits.judge(told, values, self._spec.options.objective, seconds_since_start(trial))
        limits.keep(excess)
        if reason:
            self._storage.set_trial_user_attr(claim.trial_id, "reason", reason)

    def has_begun(self, claim: Claim) -> bool:
        """Whether the trial's job has taken it over, or told its result already."""
        trial = self._storage.get_trial(claim.trial_id)
        owner = Owner.of(trial.system_attrs)
        return trial.state != TrialState.RUNNING or (owner is not None and owner.begun)

    def _runs(self, claim: Claim) -> bool:
        """Whether nobody has told a result yet; one that is told is never taken back under the same claim."""
        # All at once, for then Optuna remembers those that have ended and reads them no more.
        trials = self._study.get_trials(deepcopy=False)
        return any(t.number == claim.number and t.state == TrialState.RUNNING for t in trials)

    def _held(self, claim: Claim) -> FrozenTrial | None:
        """The claimed trial if it is unfinished and this very process holds it."""
        trial = self._storage.get_trial(claim.trial_id)
        owner = Owner.of(trial.system_attrs)
        if trial.state != TrialState.RUNNING or owner is None or owner.token != claim.token:
            return None
        return trial if owner.is_this_process() else None
