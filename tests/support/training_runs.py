"""Short trainings, what they leave, and checkpoints of nets that were not trained."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch

from fer_lightning.config.compose import compose_config
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.runs.record import portable_config
from fer_lightning.training.build import build_data, build_module
from fer_lightning.training.checkpoints import read_checkpoint
from fer_lightning.training.module import CHECKPOINT_KEY, ExpressionClassifier
from fer_lightning.training.train import RunResult, train


def run(
    folder: Path, tiny: list[str], *overrides: str, callbacks: list[pl.Callback] | None = None
) -> RunResult:
    return train(compose_config([*tiny, *overrides]), folder, extra_callbacks=callbacks or ())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"]


def measured(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics.csv without what a clock says."""
    rows = read_metrics(folder / "metrics.csv")
    return [{key: value for key, value in row.items() if not key.startswith("seconds/")} for row in rows]


class StopAfter(pl.Callback):
    """Ends the process's training as Ctrl-C does, after an epoch's checkpoint or within the next epoch."""

    def __init__(self, epochs: int, *, within: bool = False) -> None:
        self.epochs, self.within = epochs, within

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.within and trainer.current_epoch == self.epochs:
            raise KeyboardInterrupt

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if self.within and trainer.current_epoch == self.epochs and batch_idx == 1:
            raise KeyboardInterrupt


def save(path: Path, overrides: list[str]) -> ExpressionClassifier:
    """A checkpoint of an untrained net that knows the data of `overrides`."""
    config = compose_config(overrides)
    data = build_data(config)
    record = {
        "config": portable_config(config),
        "class_names": list(data.faces.class_names),
        "image_size": data.image_size,
        "channels": data.channels,
        "data": {"name": data.faces.name, "synthetic": data.faces.synthetic},
    }
    module = build_module(config, data, record).eval()
    torch.save({CHECKPOINT_KEY: record, "state_dict": module.state_dict()}, path)
    return module
