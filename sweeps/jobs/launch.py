"""Handing claimed trials to Hydra's launcher, and reading what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hydra.core.utils import JobReturn, JobStatus
from optuna import TrialPruned
from optuna.trial import TrialState

from fer_lightning.messages import reason_of
from fer_lightning.redact import redact_text
from fer_lightning.signals import interruption_behind, raise_if_stopped
from fer_lightning.sweeps.hydra_private import job_result
from fer_lightning.sweeps.jobs.attached import NO_RESULT
from fer_lightning.sweeps.jobs.environment import THREADS, TRIAL, Job
from fer_lightning.sweeps.queue.claim import Claim
from fer_lightning.sweeps.queue.lease import StudyHaltedError
from fer_lightning.sweeps.queue.trial_queue import TrialQueue
from fer_lightning.sweeps.space.override import override
from fer_lightning.sweeps.study.objective_values import choose
from fer_lightning.sweeps.study.open import StudySpec


class HydraLauncher(Protocol):
    """Any of Hydra's launchers: basic, joblib, submitit, Ray."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs to their end."""
        ...


# They run each job where a scheduler gives it processors of its own.
_SCHEDULERS = ("SlurmLauncher", "RayLauncher", "RayAWSLauncher")


def job_overrides(spec: StudySpec, fixed: Sequence[str], claim: Claim, launcher: object) -> list[str]:
    """The overrides of one job: the command's, the trial's, and those that only Hydra's own part sees."""
    options = spec.options
    job = Job(
        study=spec.name,
        storage=spec.url,
        trial_id=claim.trial_id,
        number=claim.number,
        token=claim.token,
        directory=spec.sweep_dir / claim.directory,
        resume=claim.resume,
        heartbeat=options.heartbeat,
        max_deaths=options.max_deaths,
    )
    threads = "" if type(launcher).__name__ in _SCHEDULERS else str(options.threads)
    variables = {TRIAL: job.as_variable(), THREADS: threads}
    return [
        *fixed,
        *claim.overrides,
        override("hydra.sweep.dir", str(spec.sweep_dir)),
        override("hydra.sweep.subdir", claim.directory),
        *(override(f"hydra.job.env_set.{name}", value) for name, value in variables.items()),
    ]


def run_jobs(
    spec: StudySpec,
    launcher: HydraLauncher,
    queue: TrialQueue,
    batch: list[Claim],
    overrides: list[list[str]],
    compose: Callable[[list[str]], object],
) -> None:
    """Run a batch; what it could not tell itself is told here.

    Parameters
    ----------
    compose
        Composes a job's configuration from its overrides, or raises; asked only when the launcher fails.

    Raises
    ------
    StudyHaltedError
        If the launcher does not work, or a job met a full disk or lost the database.
    """
    try:
        returns = launcher.launch(overrides, initial_job_idx=batch[0].number)
    except Exception as error:
        stopped = interruption_behind(error)
        if stopped is not None:
            raise stopped from None
        _after_failed_launch(queue, batch, overrides, compose, error)
        return
    results = [job_result(job) for job in returns]
    halted = [isinstance(result, StudyHaltedError) for result in results]
    for claim, result, at_fault in zip(batch, returns, halted, strict=True):
        # The machine failed, not the trial: it waits, or is found without its process at the next start.
        if not at_fault:
            _tell(spec, queue, claim, result)
    if any(halted):
        raise results[halted.index(True)]


def _after_failed_launch(
    queue: TrialQueue,
    batch: list[Claim],
    overrides: list[list[str]],
    compose: Callable[[list[str]], object],
    error: Exception,
) -> None:
    """Tell a trial that cannot be composed from a job whose process died and from a launcher that does not work."""
    began = any(queue.has_begun(claim) for claim in batch)
    at_fault = False
    for claim, words in zip(batch, overrides, strict=True):
        try:
            compose(words)
        except Exception as cause:
            queue.tell(claim, TrialState.FAIL, reason=reason_of(cause))
            at_fault = True
    # The others go back to the queue; those that began are in their own processes' hands, or found dead later.
    queue.requeue(batch)
    if not began and not at_fault:
        raise StudyHaltedError(f"the launcher failed: {reason_of(error)}") from error


def _tell(spec: StudySpec, queue: TrialQueue, claim: Claim, result: JobReturn) -> None:
    """Tell the result of a job that returned it, or why there is none."""
    value = job_result(result)
    if isinstance(value, TrialPruned):
        queue.tell(claim, TrialState.PRUNED, reason=str(value) or "pruned by the job")
    elif result.status != JobStatus.COMPLETED:
        raise_if_stopped()  # what failed after a signal counts as its consequence
        reason = reason_of(value) if isinstance(value, BaseException) else "the job failed"
        queue.tell(claim, TrialState.FAIL, reason=reason)
    elif value is None:
        queue.tell(claim, TrialState.FAIL, reason=NO_RESULT)
    else:
        try:
            values = choose(value, spec.options.objective)
            queue.judge(claim, value, values)
        except ValueError as error:
            queue.tell(claim, TrialState.FAIL, reason=redact_text(str(error)))
        else:
            queue.tell(claim, TrialState.COMPLETE, values=values)
