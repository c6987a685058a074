from __future__ import annotations

import dataclasses
import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.errors import ProcessLostError
from fer_lightning.signals import Terminated, shielded, stoppable
from fer_lightning.sweeps.jobs.attached import attach
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.jobs.session import TrialSession
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.queue.claim import Claim
from fer_lightning.sweeps.queue.lease import StudyHaltedError, TrialTakenError
from fer_lightning.sweeps.queue.owner import OWNER
from fer_lightning.sweeps.queue.trial_queue import TrialQueue
from fer_lightning.sweeps.space.override import override
from fer_lightning.sweeps.space.parse_space import parse_space
from fer_lightning.sweeps.study.address import storage_url
from fer_lightning.sweeps.study.objective_values import choose
from fer_lightning.sweeps.study.open import StudySpec, open_study


class Study:
    """A study with one parameter, and its trials as jobs."""

    def __init__(self, folder: Path, kind: str = "sqlite", **options: Any) -> None:
        sampler = {"_target_": "optuna.samplers.RandomSampler"}
        chosen = {"sampler": sampler, "n_trials": 3, "seed": 0, **options}
        self.spec = StudySpec(
            name="s",
            url=storage_url(kind, folder),
            sweep_dir=folder,
            options=SweepOptions(**chosen),
            fixed={},
            space=parse_space({"x": {"type": "float", "low": 0, "high": 1}}),
            plan=None,
            lookup=lambda key: None,
        )
        self.study = open_study(self.spec)
        self.queue = TrialQueue(self.study, self.spec)

    def claim(self) -> Claim:
        (claim,) = self.queue.claim(1)
        return claim

    def job(self, claim: Claim) -> Job:
        return Job(
            study="s",
            storage=self.spec.url,
            trial_id=claim.trial_id,
            number=claim.number,
            token=claim.token,
            directory=self.spec.sweep_dir / claim.directory,
            resume=claim.resume,
            heartbeat=self.spec.options.heartbeat,
            max_deaths=self.spec.options.max_deaths,
        )

    def session(self, claim: Claim | None = None) -> TrialSession:
        return TrialSession(self.job(claim or self.claim()))

    @property
    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_outside_of_a_sweep_there_is_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_TRIAL", raising=False)
    assert attach() is None
    # As in a single run under the sweeper's configuration, where nobody filled them in.
    monkeypatch.setenv("FER_TRIAL", "")
    assert attach() is None


def test_a_job_travels_through_the_environment(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    job = study.job(study.claim())
    assert Job.current({"FER_TRIAL": job.as_variable()}) == job
    monkeypatch.setenv("FER_TRIAL", job.as_variable())
    with attach() as session:  # type: ignore[union-attr]
        assert attach() is session
        assert session.params.keys() == {"x"}
        assert session.directory == study.spec.sweep_dir / "trial_0000"
        session.interrupt()
    # Another attempt is another session.
    monkeypatch.setenv("FER_TRIAL", study.job(study.claim()).as_variable())
    with attach() as later:  # type: ignore[union-attr]
        assert later is not session
        assert later.resumed
        later.complete(1.0)


@pytest.mark.parametrize(
    "folder",
    ["it's", 'a "b"', "x=1,y=[2]", "${oc.env:HOME}", r"back\slash\'", "${lr}'", "trailing\\", "ü 表 {}"],
)
def test_a_job_passes_hydras_overrides_unchanged(tmp_path: Path, folder: str) -> None:
    from hydra import compose, initialize_config_dir

    job = Job("s", f"sqlite:///{folder}/study.db", 1, 7, "token", Path("/") / folder, True, 60, 5)
    (tmp_path / "config.yaml").write_text("hydra: {job: {env_set: {FER_TRIAL: ''}}}")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        words = [override("hydra.job.env_set.FER_TRIAL", job.as_variable())]
        config = compose("config", overrides=words, return_hydra_config=True)
        assert Job.current(dict(config.hydra.job.env_set)) == job


def test_the_configuration_declares_every_variable_of_a_job() -> None:
    from hydra_plugins.fer_lightning_sweeper import STUDY

    assert set(STUDY["hydra"]["job"]["env_set"]) == {"FER_TRIAL", "FER_THREADS"}


def test_a_result_is_told_with_its_attributes(study: Study) -> None:
    with study.session() as session:
        session.report(0.5, 0)
        session.set_attr("parameters", 12)
        session.complete({"val/acc": 0.75, "other": 3}, attrs={"epochs": 1})
    (trial,) = study.trials
    assert (trial.state, trial.value, trial.intermediate_values) == (TrialState.COMPLETE, 0.75, {0: 0.5})
    assert trial.user_attrs["parameters"] == 12
    assert trial.user_attrs["epochs"] == 1
    assert 0 <= trial.user_attrs["seconds"] < 60


def test_a_pruned_trial_ends_without_an_error_and_keeps_its_last_value(study: Study) -> None:
    with study.session() as session:
        session.report(0.25, 0)
        session.report(0.5, 1)
        raise optuna.TrialPruned
    (trial,) = study.trials
    assert (trial.state, trial.value) == (TrialState.PRUNED, 0.5)
    assert trial.user_attrs["reason"] == "pruned after step 1"


def test_an_exception_fails_the_trial_with_its_reason_and_goes_on(study: Study) -> None:
    with pytest.raises(ValueError, match="wrong"), study.session():
        raise ValueError("wrong\nand more")
    (trial,) = study.trials
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"] == "ValueError: wrong"
    assert "raise ValueError" in (study.spec.sweep_dir / "trial_0000" / "error.txt").read_text()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"val/acc": float("nan")}, "objective val/acc is nan"),
        (float("nan"), "objective val/acc is nan"),
        ({"val/loss": 1.0}, "objective val/acc is not among the metrics ['val/loss']"),
        ([1.0, 2.0], "2 objective values were given for ['val/acc']"),
    ],
)
def test_a_result_that_is_none_fails_the_trial(study: Study, value: Any, reason: str) -> None:
    with study.session() as session:
        session.complete(value)
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs["reason"] == reason


def test_objectives_are_picked_in_order() -> None:
    assert choose({"a": 1, "b": 2, "c": 3}, ["c", "a"]) == [3.0, 1.0]
    assert choose(0.5, ["a"]) == [0.5]
    assert choose((1, 2), ["a", "b"]) == [1.0, 2.0]


def test_a_job_that_tells_nothing_has_failed(study: Study) -> None:
    with study.session():
        pass
    assert study.trials[0].user_attrs["reason"] == "the job ended without a result"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit(1), Terminated()])
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_what_ends_the_process_puts_the_trial_back(tmp_path: Path, error: BaseException, kind: str) -> None:
    study = Study(tmp_path, kind)
    first = study.claim()
    with pytest.raises((KeyboardInterrupt, SystemExit)), study.session(first) as session:  # noqa: PT012
        session.report(0.5, 0)
        raise error
    assert study.trials[0].state == TrialState.WAITING
    again = study.claim()
    assert (again.number, again.resume, again.overrides) == (0, True, first.overrides)
    assert again.directory == first.directory
    with study.session(again) as session:
        assert session.resumed
        assert session.reported_steps == {0}
        session.complete(1.0)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]


def test_a_lost_process_is_told_once_and_puts_the_trial_back(study: Study) -> None:
    with pytest.raises(ProcessLostError), study.session() as session:  # noqa: PT012
        session.report(0.5, 0)
        raise ProcessLostError("process 2 of the 2 ended with SIGKILL")
    assert (session.told, session.ended) == (True, True)
    assert study.trials[0].state == TrialState.WAITING


def test_sigterm_puts_the_trial_back_and_leaves_the_handler_as_it_was(study: Study) -> None:
    with pytest.raises(Terminated) as caught, study.session():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert caught.value.code == 143
    assert study.trials[0].state == TrialState.WAITING
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_step_reported_before_the_interruption_is_not_reported_twice(study: Study) -> None:
    with pytest.raises(KeyboardInterrupt), study.session() as session:  # noqa: PT012
        session.report(0.5, 0)
        raise KeyboardInterrupt
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with study.session() as session:
            session.report(0.9, 0)
            session.report(0.6, 1)
            session.complete(0.6)
    assert study.trials[0].intermediate_values == {0: 0.5, 1: 0.6}


def test_run_time_adds_up_over_attempts(study: Study) -> None:
    with pytest.raises(KeyboardInterrupt), study.session():  # noqa: PT012
        time.sleep(0.4)
        raise KeyboardInterrupt
    with study.session() as session:
        time.sleep(0.4)
        session.complete(1.0)
    assert 0.8 <= study.trials[0].user_attrs["seconds"] < 30


def test_a_full_disk_halts_the_sweep_and_keeps_the_trial(study: Study) -> None:
    with pytest.raises(StudyHaltedError, match=r"no space left on the disk of .*trial_0000"), study.session():
        raise OSError(28, "No space left on device")
    assert study.trials[0].state == TrialState.WAITING


def test_a_job_that_its_scheduler_starts_again_continues(study: Study) -> None:
    # SLURM requeues a job that ran out of time with the same arguments; nobody claimed its trial anew.
    claim = study.claim()
    first = study.session(claim)
    assert not first.resumed
    again = study.session(claim)
    assert again.resumed
    with again:
        again.complete(1.0)
    assert study.trials[0].state == TrialState.COMPLETE


def test_a_job_that_its_scheduler_stops_and_starts_again_takes_its_trial_back(study: Study) -> None:
    claim = study.claim()
    with pytest.raises(SystemExit), study.session(claim) as session:  # noqa: PT012
        session.report(0.5, 0)
        raise SystemExit(1)
    with study.session(claim) as session:
        assert session.resumed
        assert session.reported_steps == {0}
        session.complete(1.0)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]
    with pytest.raises(TrialTakenError):
        study.session(claim)


def test_a_job_that_its_scheduler_starts_again_too_late_leaves_its_trial_alone(study: Study) -> None:
    claim = study.claim()
    study.session(claim).interrupt()
    other = study.claim()
    with pytest.raises(TrialTakenError):
        study.session(claim)
    assert study.session(other).resumed


def test_a_trial_that_was_given_away_cannot_be_told(study: Study) -> None:
    claim = study.claim()
    session = study.session(claim)
    # Another host has taken the trial over meanwhile.
    storage = study.study._storage
    storage.set_trial_state_values(claim.trial_id, TrialState.WAITING)
    other = study.claim()
    assert other.number == claim.number
    with pytest.raises(TrialTakenError, match="trial 0 of study s was given to another process"), session:
        session.complete(0.1)
    with pytest.raises(TrialTakenError):
        study.session(claim)
    with study.session(other) as taker:
        taker.complete(0.9)
    assert study.trials[0].value == 0.9


def test_a_trial_that_was_given_away_stops_at_its_next_report(tmp_path: Path) -> None:
    study = Study(tmp_path, heartbeat=1)
    claim = study.claim()
    with pytest.raises(TrialTakenError), study.session(claim) as session:  # noqa: PT012
        study.study._storage.set_trial_state_values(claim.trial_id, TrialState.WAITING)
        study.claim()
        for step in range(100):
            session.report(0.0, step)
            time.sleep(0.1)
    assert study.trials[0].state == TrialState.RUNNING


def test_the_pruner_of_the_study_is_asked(tmp_path: Path) -> None:
    pruner = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.3}
    study = Study(tmp_path, pruner=pruner)
    with study.session() as session:
        session.report(0.5, 0)
        assert not session.should_prune()
        session.report(0.1, 1)
        assert session.should_prune()
        session.prune()
    assert study.trials[0].state == TrialState.PRUNED


def test_several_objectives_are_told_and_not_pruned(tmp_path: Path) -> None:
    study = Study(tmp_path, objective=["val/acc", "cost"], direction=["max", "min"])
    with study.session() as session:
        session.report(0.5, 0)
        assert not session.should_prune()
        session.complete({"cost": 3.0, "val/acc": 0.7})
    assert study.trials[0].values == [0.7, 3.0]


def test_an_unfinished_claim_of_a_dead_process_is_taken_up_with_its_parameters(study: Study) -> None:
    # Killed between the creation of the trial and the note of who holds it.
    claim = study.claim()
    study.study._storage.set_trial_system_attr(claim.trial_id, OWNER, None)
    again = study.claim()
    assert again.number == claim.number
    assert again.overrides == claim.overrides


def dead_owner(study: Study, claim: Claim) -> None:
    attr = study.study._storage.get_trial(claim.trial_id).system_attrs[OWNER]
    study.study._storage.set_trial_system_attr(claim.trial_id, OWNER, {**attr, "pid": 2**22 + 1})


def test_a_trial_that_kills_its_process_again_and_again_fails_at_last(tmp_path: Path) -> None:
    study = Study(tmp_path, max_deaths=2, n_trials=1)
    for attempt in range(3):
        claim = study.claim()
        assert (claim.number, claim.resume) == (0, attempt > 0)
        dead_owner(study, claim)
    assert study.queue.claim(1) == []
    assert study.trials[0].state == TrialState.FAIL
    reason = study.trials[0].user_attrs["reason"]
    assert reason == "its process died 3 times without getting any further (out of memory?)"


def test_a_trial_that_gets_further_between_deaths_is_continued(tmp_path: Path) -> None:
    study = Study(tmp_path, max_deaths=1, n_trials=1)
    for step in range(4):
        claim = study.claim()
        study.study._storage.set_trial_intermediate_value(claim.trial_id, step, 0.0)
        dead_owner(study, claim)
    assert study.claim().number == 0


def test_a_trial_on_another_host_is_taken_up_only_when_it_is_silent(tmp_path: Path) -> None:
    study = Study(tmp_path, "journal", heartbeat=1, grace=1, n_trials=1)
    claim = study.claim()
    storage = study.study._storage
    attr = storage.get_trial(claim.trial_id).system_attrs[OWNER]
    storage.set_trial_system_attr(claim.trial_id, OWNER, {**attr, "host": "elsewhere", "pid": 2**22 + 1})
    assert study.queue.claim(1) == []
    storage.set_trial_system_attr(claim.trial_id, "fer:beat", time.time() - 10)
    assert study.claim().number == 0


def test_the_budget_counts_every_trial_once(study: Study) -> None:
    numbers = []
    for _ in range(3):
        claim = study.claim()
        numbers.append(claim.number)
        study.queue.requeue([claim])
        with study.session() as session:
            assert session.number == claim.number
            session.complete(1.0)
    assert numbers == [0, 1, 2]
    assert study.queue.claim(5) == []


def test_an_attempt_of_another_process_is_not_settled_here(study: Study) -> None:
    claim = study.claim()
    other = dataclasses.replace(claim, token="another")
    study.queue.tell(other, TrialState.FAIL, reason="not mine")
    study.queue.requeue([other])
    assert study.trials[0].state == TrialState.RUNNING


def test_signals_wait_for_a_shielded_write() -> None:
    order = []
    with pytest.raises(Terminated), stoppable(), shielded():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        order.append("written")
    assert order == ["written"]
