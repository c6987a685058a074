"""Signals that arrive where an exception is lost, where it would do harm, and while one is dealt with already."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from filelock import FileLock
from optuna.trial import TrialState
from pytorch_lightning.utilities.exceptions import SIGTERMException
from test_sweep_trial import Study

from fer_lightning import signals as interrupts
from fer_lightning.signals import (
    Terminated,
    interruption_behind,
    raise_if_stopped,
    shielded,
    stop_requested,
    stoppable,
)
from fer_lightning.sweeps.controller import Controller
from fer_lightning.sweeps.queue.claim import Claim, Claimer
from fer_lightning.sweeps.queue.heartbeat import Heartbeat
from fer_lightning.sweeps.queue.trial_queue import TrialQueue
from fer_lightning.sweeps.study import lock
from fer_lightning.sweeps.study.address import storage_file, storage_url
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.storage import open_storage

STOPS = [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    yield
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not stop_requested()


class Thing:
    """Something to refer to."""


class Dying:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def lose(number: int) -> None:
    """Send a signal within a weakref callback, where Python drops the exception."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
    del thing
    assert reference() is None


def send_soon(number: int, seconds: float = 0.3) -> None:
    threading.Timer(seconds, lambda: signal.raise_signal(number)).start()


@pytest.mark.parametrize(("number", "error"), STOPS)
def test_nested_shields_deliver_once_at_the_end_of_the_outermost(
    number: int, error: type[BaseException]
) -> None:
    order = []
    with stoppable():
        with pytest.raises(error), shielded():  # noqa: PT012
            with shielded():
                signal.raise_signal(number)
                order.append("inner")
            order.append("outer")
        assert order == ["inner", "outer"]
        # The program went on after it: then the next shield says it again.
        with pytest.raises(error), shielded():
            order.append("again")
        interrupts._process.came = None


@pytest.mark.parametrize(("number", "error"), STOPS)
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_dropped_is_raised_at_the_next_safe_point(
    number: int, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hook = sys.unraisablehook
    reached = False
    with pytest.raises(error), stoppable():  # noqa: PT012
        lose(number)
        reached = True
        raise_if_stopped()
    assert reached
    assert caplog.messages == ["Python dropped the exception of a signal; it is raised again"]
    assert sys.unraisablehook is hook


def test_a_signal_that_was_dropped_in_a_finalizer_ends_the_region_at_the_latest() -> None:
    reached = False
    with pytest.raises(Terminated), stoppable():  # noqa: PT012
        Dying()
        reached = True
    assert reached


def test_a_signal_that_a_library_swallowed_puts_the_trial_back_at_its_next_report(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with pytest.raises(Terminated), study.session() as session:  # noqa: PT012
        session.report(0.5, 0)
        with suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        session.report(0.6, 1)
    assert study.trials[0].state == TrialState.WAITING
    assert study.trials[0].intermediate_values == {0: 0.5}


def test_an_error_that_follows_a_signal_is_no_failure_of_the_trial(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with pytest.raises(Terminated), study.session():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise ValueError("half a file")
    assert study.trials[0].state == TrialState.WAITING


def test_a_second_signal_cuts_no_clean_up_short() -> None:
    order = []
    with pytest.raises(Terminated), stoppable():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            with shielded():
                signal.raise_signal(signal.SIGTERM)
            raise_if_stopped()
            order.append("cleaned up")
    assert order == ["cleaned up"]


def test_a_clean_up_that_takes_long_can_be_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "PATIENCE_SECONDS", 0)
    reached = False
    with pytest.raises(Terminated), stoppable():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            reached = True
    assert not reached


def test_a_clean_up_does_not_wait_for_a_lock_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.2)
    url = storage_url(None, tmp_path)
    with held_elsewhere(f"{storage_file(url)}.lock"), pytest.raises(Terminated), stoppable():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            with pytest.raises(TimeoutError, match=r"study\.db\.lock: held by another process"):
                claim_lock(url, "s").__enter__()


@contextmanager
def handler(number: int, chosen: Callable[..., object] | signal.Handlers) -> Iterator[None]:
    before = signal.signal(number, chosen)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_handler_of_the_programs_own_is_kept_and_held_off() -> None:
    order: list[object] = []

    def own(number: int, frame: object) -> None:
        order.append(number)

    with handler(signal.SIGTERM, own), stoppable():
        with shielded():
            signal.raise_signal(signal.SIGTERM)
            order.append("written")
        assert signal.getsignal(signal.SIGTERM) is own
    assert order == ["written", signal.SIGTERM]


def test_what_is_ignored_stays_ignored() -> None:
    with handler(signal.SIGINT, signal.SIG_IGN), stoppable(), shielded():
        signal.raise_signal(signal.SIGINT)
        assert not stop_requested()


def test_a_region_within_a_shield_takes_the_handlers_over() -> None:
    with pytest.raises(Terminated), shielded(), stoppable(), shielded():
        signal.raise_signal(signal.SIGTERM)


def test_other_threads_are_not_stopped() -> None:
    ended = []

    def work() -> None:
        with stoppable(), shielded():
            raise_if_stopped()
        ended.append(True)

    with pytest.raises(Terminated), stoppable(), shielded():  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert ended == [True]


def test_what_lightning_makes_of_sigterm_is_a_termination() -> None:
    with pytest.raises(Terminated), stoppable():  # noqa: PT012
        with suppress(Terminated):
            signal.raise_signal(signal.SIGTERM)
        stopped = interruption_behind(SIGTERMException())
        assert isinstance(stopped, Terminated)
        raise stopped
    assert interruption_behind(SIGTERMException()) is None


HOLD = (
    "import sys, filelock as f; l = f.FileLock(sys.argv[1]); l.acquire(); print(flush=True); sys.stdin.read()"
)


@contextmanager
def held_elsewhere(path: str) -> Iterator[None]:
    """Let another process hold a file lock."""
    command = [sys.executable, "-c", HOLD, path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "error"), STOPS)
def test_waiting_for_the_claim_lock_can_be_interrupted(
    tmp_path: Path, number: int, error: type[BaseException]
) -> None:
    url = storage_url(None, tmp_path)
    with held_elsewhere(f"{storage_file(url)}.lock"), pytest.raises(error), stoppable():  # noqa: PT012
        send_soon(number)
        claim_lock(url, "s").__enter__()


def test_waiting_for_the_journals_lock_can_be_interrupted(tmp_path: Path) -> None:
    url = storage_url("journal", tmp_path)
    storage = open_storage(url)
    with held_elsewhere(f"{storage_file(url)}.write.lock"), pytest.raises(Terminated), stoppable():  # noqa: PT012
        send_soon(signal.SIGTERM)
        storage.create_new_study([], "s")
    assert storage.get_all_studies() == []
    storage.create_new_study([], "s")
    assert [study.study_name for study in storage.get_all_studies()] == ["s"]


def test_a_signal_waits_until_the_lock_is_given_back(tmp_path: Path) -> None:
    url, order = storage_url(None, tmp_path), []
    with pytest.raises(Terminated), stoppable(), claim_lock(url, "s"):  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        order.append("claimed")
    assert order == ["claimed"]
    with FileLock(f"{storage_file(url)}.lock", blocking=False):
        pass


def test_a_signal_between_taking_a_lock_and_counting_it_leaves_no_lock_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = FileLock._acquire

    def take(self: FileLock) -> None:
        taken(self)
        signal.raise_signal(signal.SIGTERM)

    url = storage_url(None, tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Terminated), stoppable():  # noqa: PT012
        patch.setattr(FileLock, "_acquire", take)
        with claim_lock(url, "s"):
            pass
    with FileLock(f"{storage_file(url)}.lock", blocking=False):
        pass


@pytest.mark.parametrize("event", ["before_cursor_execute", "commit"])
def test_a_signal_within_a_transaction_leaves_it_whole(tmp_path: Path, event: str) -> None:
    study = Study(tmp_path)
    claim = study.claim()
    engine = study.study._storage._backend.engine  # type: ignore[attr-defined]

    def stop(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Terminated), stoppable():  # noqa: PT012
        sqlalchemy.event.listen(engine, event, stop)
        try:
            study.study._storage.set_trial_user_attr(claim.trial_id, "note", "kept")
        finally:
            sqlalchemy.event.remove(engine, event, stop)
    other = sqlite3.connect(tmp_path / "study.db", timeout=0)
    other.execute("BEGIN IMMEDIATE")  # raises "database is locked" if the transaction was left open
    other.close()
    assert study.trials[0].user_attrs["note"] == "kept"


def test_a_signal_as_a_trial_is_claimed_puts_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(tmp_path)
    controller = Controller(study.study, study.spec, lambda claims, batch: None)
    own = Claimer.own

    def claim_and_stop(self: Claimer, *arguments: Any) -> Claim:
        claim = own(self, *arguments)
        signal.raise_signal(signal.SIGTERM)
        return claim

    monkeypatch.setattr(Claimer, "own", claim_and_stop)
    with pytest.raises(Terminated):
        controller.run()
    (trial,) = study.trials
    assert trial.state == TrialState.WAITING
    assert "fer:deaths" not in trial.system_attrs


def test_a_signal_as_a_session_begins_puts_the_trial_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path)
    session = study.session()
    begin = threading.Thread.start

    def begin_and_stop(self: threading.Thread) -> None:
        begin(self)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(Terminated):  # noqa: PT012
        patch.setattr(threading.Thread, "start", begin_and_stop)
        with session:
            raise AssertionError("the signal came before")
    assert study.trials[0].state == TrialState.WAITING
    wait_for_heartbeats()


def wait_for_heartbeats() -> None:
    deadline = time.monotonic() + 5
    while any(thread.name == "heartbeat" for thread in threading.enumerate()):
        assert time.monotonic() < deadline


def test_a_heartbeat_ends_even_if_a_signal_keeps_it_from_being_left() -> None:
    heart = Heartbeat(30, lambda: None)
    heart.__enter__()
    del heart
    wait_for_heartbeats()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_signals_at_random_moments_of_short_trials_lose_nothing(tmp_path: Path, kind: str) -> None:
    """With trials of a hundredth of a second most signals fall on the lock, the storage and the claims."""
    chance = random.Random(kind)
    study = Study(tmp_path, kind, n_trials=60)

    def run(queue: TrialQueue, batch: list[Claim]) -> None:
        for claim in batch:
            with study.session(claim) as session:
                for step in range(3):
                    session.report(0.1 * step, step)
                session.complete(0.5)

    for _ in range(30):
        number, error = chance.choice(STOPS)
        with pytest.raises(error), stoppable():  # noqa: PT012
            send_soon(number, chance.uniform(0, 0.1))
            Controller(study.study, study.spec, run).run()
            time.sleep(10)
        assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.WAITING}
        assert not [trial for trial in study.trials if "fer:deaths" in trial.system_attrs]
    Controller(study.study, study.spec, run).run()
    assert [trial.number for trial in study.trials] == list(range(60))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert all(list(trial.intermediate_values) == [0, 1, 2] for trial in study.trials)
