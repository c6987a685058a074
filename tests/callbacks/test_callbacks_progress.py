"""The bar of a run counts training and validation, whatever an epoch is made of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from fer_lightning.callbacks import progress as module
from fer_lightning.cli import main
from fer_lightning.messages import progress, standing_bar


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["trainer.accumulate_grad_batches=2"],
        ["trainer.check_val_every_n_epoch=2"],
        ["data.batch_size=7", "data.eval_batch_size=5"],
    ],
)
def test_the_bar_ends_where_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: list[str], words: list[str]
) -> None:
    bars: list[tuple[float, float | None]] = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def close(self) -> None:
            if not bars and self.total is not None:
                bars.append((self.n, self.total))
            super().close()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "new_bar", Bar)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main([*tiny, "trainer.max_epochs=2", "hydra.run.dir=run", *words]) == 0
    ((done, total),) = bars
    assert done == total


def test_a_loop_has_a_bar_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown: Any = progress(range(3), "faces")
    assert (shown.disable, shown.delay, list(shown)) == (False, 3, [0, 1, 2])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    hidden: Any = progress(range(3), "faces")
    assert (hidden.disable, list(hidden)) == (True, [0, 1, 2])


def test_a_step_that_says_nothing_has_a_bar_from_its_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with standing_bar("lime", 1, 2):
        assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with standing_bar("lime", 1, 2):
        assert "| 1/2 done" in capsys.readouterr().err
    assert capsys.readouterr().err.strip() == ""  # and is taken away
