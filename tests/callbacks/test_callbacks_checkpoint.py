"""The best and the last checkpoint: the last of a best epoch is a copy of it, and as good to go on from."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from fer_lightning.callbacks.checkpoint import RunCheckpoint
from fer_lightning.signals import Terminated, stoppable

SCORES = (0.3, 0.5, 0.4, 0.7, 0.6)


class Scored(pl.LightningModule):
    """A model whose epochs have the scores that they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val/acc", SCORES[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)


class Kept(pl.Callback):
    """Keeps what each epoch left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last: list[dict[str, Any]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch:
            self.keep(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.keep(trainer)

    def keep(self, trainer: pl.Trainer) -> None:
        read = {name: torch.load(self.folder / "checkpoints" / f"{name}.ckpt") for name in ("best", "last")}
        self.last.append(read)


def fit(folder: Path, epochs: int, start: Path | None = None) -> tuple[Scored, Kept]:
    torch.manual_seed(0)
    model, kept = Scored(), Kept(folder)
    faces = DataLoader(torch.ones(4, 2), batch_size=2)
    callbacks = [RunCheckpoint(folder, "best", "val/acc"), RunCheckpoint(folder, "last"), kept]
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=False,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(model, faces, faces, ckpt_path=start and str(start), weights_only=True)
    return model, kept


def without_its_name(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint but for what the callback of the last one says of its own file."""
    callbacks = {key: value for key, value in checkpoint["callbacks"].items() if "'monitor': None" not in key}
    assert len(callbacks) == len(checkpoint["callbacks"]) - 1
    return checkpoint | {"callbacks": callbacks}


def test_the_last_checkpoint_has_what_one_written_anew_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, copied = fit(tmp_path / "copied", len(SCORES))
    monkeypatch.setattr("fer_lightning.callbacks.checkpoint._written_just_now", lambda trainer: None)
    _, anew = fit(tmp_path / "anew", len(SCORES))
    assert [epoch["last"]["epoch"] for epoch in copied.last] == [0, 1, 2, 3, 4]
    assert [epoch["best"]["epoch"] for epoch in copied.last] == [0, 1, 1, 3, 3]
    for one, other in zip(copied.last, anew.last, strict=True):
        assert repr(without_its_name(one["last"])) == repr(without_its_name(other["last"]))
        assert repr(one["best"]) == repr(other["best"])


@pytest.mark.parametrize("epochs", [2, 3])
def test_it_goes_on_as_if_nothing_had_happened(tmp_path: Path, epochs: int) -> None:
    whole, at_once = fit(tmp_path / "whole", len(SCORES))
    fit(tmp_path / "parts", epochs)
    (tmp_path / "parts" / "checkpoints" / ".last.ckpt.part").write_bytes(
        b"half of one, by a process that was killed"
    )
    parts, later = fit(tmp_path / "parts", len(SCORES), tmp_path / "parts" / "checkpoints" / "last.ckpt")
    assert torch.equal(parts.layer.weight, whole.layer.weight)
    assert repr(later.last[-1]["best"]["state_dict"]) == repr(at_once.last[-1]["best"]["state_dict"])
    left = sorted(path.name for path in (tmp_path / "parts" / "checkpoints").iterdir())
    assert left == ["best.ckpt", "last.ckpt"]


def test_an_epoch_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    save = pl.Trainer.save_checkpoint

    def noted(self: pl.Trainer, filepath: str, *options: Any) -> None:
        written.append(Path(filepath).name)
        save(self, filepath, *options)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", noted)
    fit(tmp_path, len(SCORES))
    assert written == [f".{name}.ckpt.part" for name in ("best", "best", "last", "best", "last")]


def test_a_signal_within_the_writing_of_a_checkpoint_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, written = pl.Trainer.save_checkpoint, []

    def save_and_stop(self: pl.Trainer, filepath: str, *args: Any, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        save(self, filepath, *args, **kwargs)
        written.append(Path(filepath).name)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", save_and_stop)
    with pytest.raises(Terminated), stoppable():
        fit(tmp_path, 3)
    assert written == [".best.ckpt.part"]
    assert torch.load(tmp_path / "checkpoints" / "best.ckpt")["epoch"] == 0


def test_a_disk_that_fills_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []

    def move(source: str, target: str) -> None:  # from another file system, which copies
        whole = Path(source).read_bytes()
        moved.append(target)
        full = len(moved) > 2  # in the second epoch: best and last of the first one are there
        Path(target).write_bytes(whole[: len(whole) // 2] if full else whole)
        if full:
            raise OSError(errno.ENOSPC, "No space left on device", source, None, target)

    monkeypatch.setattr("fsspec.implementations.local.shutil.move", move)
    monkeypatch.setattr("fer_lightning.callbacks.checkpoint._written_just_now", lambda trainer: None)
    with pytest.raises(OSError, match="No space left"):
        fit(tmp_path, 2)
    kept = tmp_path / "checkpoints"
    assert [torch.load(kept / f"{name}.ckpt")["epoch"] for name in ("best", "last")] == [0, 0]
    assert sorted(path.name for path in kept.iterdir()) == ["best.ckpt", "last.ckpt"]
