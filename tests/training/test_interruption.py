"""Signals to a single training through the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytorch_lightning as pl
import torch

from fer_lightning.config.compose import compose_config
from fer_lightning.signals import Terminated, interruption_behind, stoppable
from fer_lightning.training.train import train

if TYPE_CHECKING:
    from typing_extensions import Buffer


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, ["fer_lightning: interrupted"]), (signal.SIGTERM, 143, [])],
)
def test_a_stopped_training_says_so_in_one_line_and_in_its_record(
    tmp_path: Path, tiny: list[str], number: signal.Signals, status: int, said: list[str]
) -> None:
    words = [*tiny, "trainer.max_epochs=5000", f"hydra.run.dir={tmp_path}", "callbacks.progress.lines=false"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_lightning", *words], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status, errors
    announced = ("prepared", "Small")
    assert [line for line in errors.splitlines() if not line.startswith(announced)] == said
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert 1 <= record["epochs"] < 5000


class Interrupted(io.BytesIO):
    """A file in whose writing a signal arrives."""

    def __init__(self, signal_: BaseException) -> None:
        super().__init__()
        self.signal = signal_

    def write(self, data: Buffer) -> int:
        if self.tell() > 200:
            raise self.signal
        return super().write(data)


@pytest.mark.parametrize("came", [KeyboardInterrupt(), Terminated()])
def test_a_signal_within_the_writing_of_a_checkpoint_is_found_behind_torchs_error(
    came: BaseException,
) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.save({"weights": torch.zeros(1000)}, Interrupted(came))
    assert interruption_behind(caught.value) is came
    assert interruption_behind(RuntimeError("CUDA out of memory")) is None
    assert interruption_behind(SystemExit(3)) is None


class Swallowed(pl.Callback):
    """Has a signal come where its exception is lost, in the first batch of the third epoch."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        if (trainer.current_epoch, batch_idx) == (2, 0):
            with contextlib.suppress(BaseException):
                os.kill(os.getpid(), self.number)
                time.sleep(5)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_signal_that_is_swallowed_stops_the_training_at_the_next_batch(
    tmp_path: Path, tiny: list[str], number: signal.Signals, error: type[BaseException]
) -> None:
    config = compose_config([*tiny, "trainer.max_epochs=5000"])
    with pytest.raises(error), stoppable():
        train(config, tmp_path, extra_callbacks=[Swallowed(number)])
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], record["epochs"]) == ("interrupted", 2)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
