"""The disk of the study's own database runs full: the sweep stops with one line and is taken up again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from test_sweep_resume import assert_whole, snapshot, wait_until_running

from fer_lightning.sweeps.study.results import load_trials
from sweep_runner import SEARCH, epochs, output, start

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB that holds nothing but the database and its write-ahead log (4 MiB at most)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Take all the space that is left."""
    with (disk / "ballast").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_database_on_a_full_disk_stops_the_study_and_loses_nothing(tmp_path: Path, disk: Path) -> None:
    folder = tmp_path / "run"
    arguments = [
        *SEARCH,
        f"hydra.sweeper.storage={disk}/study.db",
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.n_trials=6",
        "trainer.seconds=0.2",
    ]
    process = start(folder, *arguments)
    wait_until_running(folder, process, epochs_run=6)
    while process.poll() is None:
        # Again and again: SQLite writes over what it has written before as long as it can.
        fill(disk)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
    said = output(folder)
    assert process.returncode == 1, said[-3000:]
    (error,) = [line for line in said.splitlines() if line.startswith("error:")]
    assert "database or disk is full" in error
    assert str(disk / "study.db") in error
    assert "Traceback" not in said
    (disk / "ballast").unlink()
    before = load_trials(disk / "study.db")
    assert len(before) < 6 or any(trial.state != "COMPLETE" for trial in before)
    finish_in(folder, arguments)
    records = load_trials(disk / "study.db")
    assert_whole(records, 6)
    assert snapshot(before).items() <= snapshot(records).items()
    assert [len(set(epochs(record))) for record in records] == [4] * 6


def finish_in(folder: Path, arguments: list[str]) -> None:
    status = start(folder, *arguments).wait(timeout=300)
    assert status == 0, output(folder)[-3000:]
