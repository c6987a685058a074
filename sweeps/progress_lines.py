"""What a person is told while a study runs: one line after each trial."""

from __future__ import annotations

import logging
import shlex
import time
from collections import Counter
from collections.abc import Callable

from optuna.trial import FrozenTrial, TrialState

from fer_lightning.config.objective import Objective
from fer_lightning.messages import counted
from fer_lightning.sweeps.jobs.error_file import ERROR_FILE
from fer_lightning.sweeps.plan.confirmation import DEFAULT_ARM, best_of
from fer_lightning.sweeps.plan.enqueue import key_of_trial
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.queue.claim import Claim
from fer_lightning.sweeps.space.first_points import DEFAULT
from fer_lightning.sweeps.study.constraints import violated
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.promoted import promotion_of, without_promoted
from fer_lightning.sweeps.study.taken import own_trials

log = logging.getLogger(__name__)

_FIRST = "the default setting"
_DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Progress:
    """Counts a study's trials and estimates how long the rest takes."""

    def __init__(self, spec: StudySpec, budget: Callable[[], int | None]) -> None:
        self._spec = spec
        self._budget = budget
        self._began = time.monotonic()
        self._done_before = 0

    def begin(self, trials: list[FrozenTrial]) -> None:
        """Say what is taken up."""
        self._done_before = _count(trials, *_DONE)
        size = self._budget()
        if size is not None and self._done_before >= size:
            return
        kept = f", {self._done_before} of them done already" if self._done_before else ""
        log.info("study %s: %s%s; kept in %s", self._spec.name, self._size(), kept, self._spec.sweep_dir)
        options = self._spec.options
        better = {"maximize": "higher", "minimize": "lower"}
        pairs = zip(options.objective, options.direction, strict=True)
        log.info("compared: %s", ", ".join(f"{name} ({better[way]} is better)" for name, way in pairs))
        for note in self._spec.notes:
            log.info("note: %s", note)

    def _size(self) -> str:
        """How many trials there will be, in words."""
        confirmation, size = self._spec.confirmation, self._budget()
        searched = self._spec.budget if confirmation is not None else size
        limits = " and ".join(f"{name}={value:g}" for name, value in self._spec.options.limits.items())
        many = limits if searched is None else counted(searched, "trial")
        until = f" at most, until {limits}" if limits and searched is not None else ""
        if confirmation is None:
            return many + until
        best = "the best setting" if confirmation.count == 1 else f"the best {confirmation.count} settings"
        return f"{many}{until}, then up to {confirmation.size} that confirm {best} beside the default"

    def after(self, trials: list[FrozenTrial], batch: list[Claim]) -> None:
        """Say what the trials that just ended came to, and how the study stands."""
        by_number = {trial.number: trial for trial in trials}
        ended = [by_number[claim.number] for claim in batch if claim.number in by_number]
        for trial in ended[:-1]:
            log.info("trial %d%s %s", trial.number, _arm(trial), self._outcome(trial))
        last = f"trial {ended[-1].number}{_arm(ended[-1])} {self._outcome(ended[-1])}; " if ended else ""
        log.info("%s%s", last, self.line(trials))

    def _outcome(self, trial: FrozenTrial) -> str:
        """What a trial came to; of a failed one also where its traceback is, within the study's folder."""
        traced = f"{trial.user_attrs.get('directory', '')}/{ERROR_FILE}"
        kept = trial.state == TrialState.FAIL and (self._spec.sweep_dir / traced).is_file()
        return _outcome(trial) + (f" (traceback: {traced})" if kept else "")

    def line(self, trials: list[FrozenTrial]) -> str:
        """The study's state in one line."""
        done = _count(trials, *_DONE)
        size = self._budget()
        parts = [f"{counted(done, 'trial')} done" if size is None else f"{done} of {size} trials done"]
        met = [trial for trial in trials if not violated(trial)]
        for count, word in (
            (_count(met, TrialState.PRUNED), "pruned"),
            (len(own_trials(trials)) - len(own_trials(met)), "infeasible"),
            (_count(trials, TrialState.FAIL), "failed"),
            (_count(trials, TrialState.RUNNING), "running"),
        ):
            if count:
                parts.append(f"{count} {word}")
        best = self._best(trials)
        if best is not None:
            parts.append(f"best {self._shown(trials, best)}")
        remaining = self._remaining_seconds(done)
        if remaining is not None:
            parts.append(f"about {_duration(remaining)} left")
        return ", ".join(parts)

    def _best(self, trials: list[FrozenTrial]) -> FrozenTrial | None:
        several = len(self._spec.options.objective) > 1
        return None if several else best_of(trials, maximize=self._spec.maximize)

    def _shown(self, trials: list[FrozenTrial], best: FrozenTrial) -> str:
        options = self._spec.options
        values = [value for trial in trials for value in trial.values or ()]
        objective = Objective.of(options.objective[0], self._spec.maximize, options.unit, values)
        return f"{objective.name} {objective.shown(best.values[0])}"

    def _remaining_seconds(self, done: int) -> float | None:
        lately, size = done - self._done_before, self._budget()
        if lately <= 0 or size is None or done >= size:
            return None
        return (time.monotonic() - self._began) / lately * (size - done)

    def interrupted(self, trials: list[FrozenTrial]) -> None:
        """Say that the study can be taken up again, and how."""
        log.info(
            "study %s interrupted: %s; the same command goes on with it", self._spec.name, self.line(trials)
        )

    def end(self, trials: list[FrozenTrial], limit: str | None = None) -> None:
        """Say that the study is done, by which limit, and what it leaves."""
        if limit is not None:
            log.info("study %s ended: %s", self._spec.name, limit)
        log.info("study %s: %s", self._spec.name, self.line(trials))
        waiting = _count(trials, TrialState.WAITING)
        if waiting:
            key = "n_trials" if limit is None else limit.partition("=")[0]
            log.info(
                "%s: a larger hydra.sweeper.%s runs them", counted(waiting, "trial waits", "trials wait"), key
            )
        if self._spec.confirmation is not None:
            folder = shlex.quote(str(self._spec.sweep_dir))
            log.info("its verdict: python -m fer_lightning report %s", folder)


def _count(trials: list[FrozenTrial], *states: TrialState) -> int:
    """How many of the study's own trials are in one of some states, each that was promoted once."""
    counts = Counter(trial.state for trial in without_promoted(own_trials(trials)))
    return sum(counts[state] for state in states)


def _arm(trial: FrozenTrial) -> str:
    """The arm, seed and fold of a plan's trial, in brackets."""
    key = key_of_trial(trial)
    if key is None:
        source = promotion_of(trial).get("trial")
        said = [_FIRST] if trial.user_attrs.get("first") == DEFAULT else []
        said += [] if source is None else [f"promoted from trial {source}"]
        return f" ({', '.join(said)})" if said else ""
    if key.stage == Stage.CONFIRM:
        return f" (confirms {_FIRST if key.arm == DEFAULT_ARM else key.arm}, seed {key.seed})"
    what = {Stage.TUNING: f", tuning point {key.point}", Stage.TUNED: ", tuned"}.get(key.stage, "")
    fold = "" if key.fold is None else f", fold {key.fold}"
    return f" ({key.arm}{what}, seed {key.seed}{fold})"


def _outcome(trial: FrozenTrial) -> str:
    match trial.state:
        case TrialState.COMPLETE:
            values = ", ".join(f"{value:.4g}" for value in trial.values)
            took = _duration(float(trial.user_attrs.get("seconds", 0.0)))
            return f"done: {values} in {took}" + (
                f", {trial.user_attrs.get('reason')}" if violated(trial) else ""
            )
        case TrialState.PRUNED:
            return str(trial.user_attrs.get("reason", "pruned"))
        case TrialState.FAIL:
            return f"failed: {trial.user_attrs.get('reason', 'no reason is known')}"
        case TrialState.WAITING:
            return "was interrupted and waits for its continuation"
    return "still runs"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.3g} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
