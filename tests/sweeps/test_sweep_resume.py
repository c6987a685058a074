"""Sweeps that are interrupted at random moments, by every signal, and taken up again."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from fer_lightning.errors import DataError
from fer_lightning.sweeps.study.results import Trial, load_trials
from sweep_runner import PLAN, SEARCH, epochs, finish, output, start

SLOW = ["trainer.seconds=0.15", "hydra.sweeper.max_deaths=50"]
PLAN_RUN = [PLAN, "seeds=[0,1]", "hydra.sweeper.n_trials=null", *SLOW]
SEARCH_RUN = [*SEARCH, "hydra.sweeper.n_trials=8", "hydra/sweeper/sampler=random", *SLOW]


def trials_of(folder: Path) -> list[Trial]:
    try:
        return load_trials(folder / "sweep")
    except DataError:
        return []


def wait_until_running(folder: Path, process: object, epochs_run: int = 1) -> None:
    """Wait until some trial has run that many epochs more than when we came."""

    def count() -> int:
        return sum(len(path.read_text().splitlines()) for path in folder.glob("sweep/trial_*/epochs.log"))

    before, deadline = count(), time.monotonic() + 60
    while count() < before + epochs_run:
        assert time.monotonic() < deadline, output(folder)[-3000:]
        time.sleep(0.02)


def snapshot(records: list[Trial]) -> dict[int, tuple[object, ...]]:
    """What must never change again: the finished trials."""
    done = ("COMPLETE", "PRUNED", "FAIL")
    return {r.number: (r.state, r.values, r.params, r.arm, r.seed) for r in records if r.state in done}


def assert_whole(records: list[Trial], total: int) -> None:
    """Every trial finished once, each from its own last checkpoint on."""
    assert [r.state for r in records] == ["COMPLETE"] * total
    assert [r.number for r in records] == list(range(total))
    for record in records:
        ran = epochs(record)
        assert sorted(set(ran)) == [0, 1, 2, 3]
        # A kill may fall between an epoch and its checkpoint: then that one epoch is run again, and no other.
        assert all(later - earlier in (0, 1) for earlier, later in itertools.pairwise(ran)), ran
        assert list(record.intermediate) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_trial_goes_on_where_it_was(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    arguments = [*SEARCH, "hydra.sweeper.n_trials=1", "trainer.seconds=0.3"]
    process = start(tmp_path, *arguments)
    wait_until_running(tmp_path, process, epochs_run=2)
    process.send_signal(number)
    assert process.wait(timeout=60) == status
    (record,) = load_trials(tmp_path / "sweep")
    if number is signal.SIGKILL:
        assert record.state == "RUNNING"
    else:
        assert record.state == "WAITING"
        assert "the same command goes on with it" in output(tmp_path)
        assert "Traceback" not in output(tmp_path)
    params = record.params
    records = finish(tmp_path, *arguments)
    assert_whole(records, 1)
    assert records[0].params == params
    # The run time of both attempts, but not the time between them.
    assert records[0].seconds is not None
    assert records[0].seconds > 1.0


def test_the_program_ending_itself_is_an_interruption_too(tmp_path: Path) -> None:
    # Lightning turns Ctrl-C into sys.exit(1).
    arguments = [*SEARCH, "hydra.sweeper.n_trials=1", "trouble=exit"]
    assert start(tmp_path, *arguments).wait(timeout=60) == 3
    assert [r.state for r in load_trials(tmp_path / "sweep")] == ["WAITING"]
    (tmp_path / "allowed").touch()
    assert_whole(finish(tmp_path, *arguments), 1)


@pytest.mark.slow
def test_an_interrupted_plan_runs_each_cell_exactly_once(tmp_path: Path) -> None:
    process = start(tmp_path, *PLAN_RUN)
    wait_until_running(tmp_path, process, epochs_run=6)
    process.kill()
    process.wait()
    before = snapshot(load_trials(tmp_path / "sweep"))
    assert before
    records = finish(tmp_path, *PLAN_RUN)
    assert_whole(records, 8)
    assert len({(r.arm, r.seed) for r in records}) == 8
    assert before.items() <= snapshot(records).items()


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", "journal"])
@pytest.mark.parametrize("arguments", [PLAN_RUN, SEARCH_RUN], ids=["plan", "search"])
def test_signals_at_random_moments_lose_nothing_and_repeat_nothing(
    tmp_path: Path, arguments: list[str], storage: str
) -> None:
    seed = int(os.environ.get("SWEEP_TEST_SEED", "0"))
    chance = random.Random(f"{seed} {storage} {len(arguments)}")
    arguments = [*arguments, f"hydra.sweeper.storage={storage}"]
    finished: dict[int, tuple[object, ...]] = {}
    for _ in range(5):
        process = start(tmp_path, *arguments)
        number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        try:
            process.wait(timeout=chance.uniform(1.0, 6.0))
        except Exception:
            process.send_signal(number)
            process.wait(timeout=60)
        now = snapshot(trials_of(tmp_path))
        assert finished.items() <= now.items()
        finished = now
    records = finish(tmp_path, *arguments)
    assert_whole(records, 8)
    assert finished.items() <= snapshot(records).items()
    if arguments[0] is PLAN:
        assert len({(r.arm, r.seed) for r in records}) == 8


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_peers_that_start_at_once_and_are_killed_at_random_end_at_exactly_the_budget(
    tmp_path: Path, storage: str
) -> None:
    seed = int(os.environ.get("SWEEP_TEST_SEED", "0"))
    chance = random.Random(f"{seed} {storage}")
    arguments = [
        *SEARCH,
        f"hydra.sweeper.storage={storage}",
        "hydra.sweeper.n_trials=24",
        "trainer.seconds=0.05",
        "hydra.sweeper.max_deaths=50",
    ]
    peers = [start(tmp_path, *arguments) for _ in range(3)]
    for victim in peers[:2]:
        wait_until_running(tmp_path, victim, epochs_run=chance.randrange(3, 12))
        victim.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
        victim.wait(timeout=60)
    # The one that is left takes the trials of the others over and finishes the study.
    assert peers[2].wait(timeout=180) == 0, output(tmp_path)[-3000:]
    assert_whole(load_trials(tmp_path / "sweep"), 24)


@pytest.mark.slow
def test_peers_that_start_at_once_end_at_exactly_the_budget(tmp_path: Path) -> None:
    arguments = [*SEARCH, "hydra.sweeper.n_trials=10", "hydra/sweeper/sampler=random"]
    peers = [start(tmp_path, *arguments) for _ in range(3)]
    assert [peer.wait(timeout=120) for peer in peers] == [0, 0, 0], output(tmp_path)[-3000:]
    records = load_trials(tmp_path / "sweep")
    assert_whole(records, 10)
    # The same seed in each peer must not make them draw the same points.
    assert len({r.params["optimizer.lr"] for r in records}) == 10


@pytest.mark.slow
def test_workers_share_the_study_and_their_threads(tmp_path: Path) -> None:
    arguments = [*SEARCH, "hydra.sweeper.n_trials=8", "hydra.sweeper.workers=2", "trainer.seconds=0.3"]
    records = finish(tmp_path, *arguments)
    assert_whole(records, 8)
    pids = {
        line.split()[1] for r in records for line in (r.run.folder / "epochs.log").read_text().splitlines()
    }  # type: ignore[operator]
    assert len(pids) == 2
    log = (tmp_path / "sweep" / "worker_1.log").read_text()
    assert "8 of 8 trials done" in log


def test_a_signal_to_the_first_process_stops_its_workers(tmp_path: Path) -> None:
    arguments = [*SEARCH, "hydra.sweeper.n_trials=50", "hydra.sweeper.workers=2", "trainer.seconds=0.3"]
    process = start(tmp_path, *arguments)
    wait_until_running(tmp_path, process, epochs_run=8)
    children = psutil.Process(process.pid).children()
    assert len(children) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not children[0].is_running()
    assert {r.state for r in load_trials(tmp_path / "sweep")} <= {"COMPLETE", "WAITING"}


@pytest.mark.slow
def test_a_killed_worker_leaves_its_trial_to_the_others(tmp_path: Path) -> None:
    arguments = [*SEARCH, "hydra.sweeper.n_trials=6", "hydra.sweeper.workers=2", "trainer.seconds=0.3"]
    process = start(tmp_path, *arguments)
    wait_until_running(tmp_path, process, epochs_run=6)
    psutil.Process(process.pid).children()[0].kill()
    assert process.wait(timeout=120) == 0
    assert "worker 1 ended with status -9" in output(tmp_path)
    assert_whole(load_trials(tmp_path / "sweep"), 6)


@pytest.mark.slow
def test_the_workers_of_a_killed_sweep_stop_after_their_trial(tmp_path: Path) -> None:
    arguments = [*SEARCH, "hydra.sweeper.n_trials=50", "hydra.sweeper.workers=2", "trainer.seconds=0.2"]
    process = start(tmp_path, *arguments)
    wait_until_running(tmp_path, process, epochs_run=6)
    (worker,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    worker.wait(timeout=60)
    states = [r.state for r in load_trials(tmp_path / "sweep")]
    assert states.count("RUNNING") <= 1
    assert len(states) < 20
