from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from fer_lightning.callbacks.averaging import AveragedWeights, averaged_weights
from fer_lightning.errors import ConfigError
from fer_lightning.evaluation.evaluate import data_of
from fer_lightning.explain import unit_watch
from fer_lightning.training.checkpoints import load_classifier
from training_runs import measured, run, weights

keep = unit_watch._extremes
# A high rate: the weights turn fast, so the average of their statistics is far from the statistics of their average.
FAST = [
    *["model=fast", "model.widths=[8,16]", "optimizer=muon", "optimizer.lr=0.2", "scheduler=constant"],
    *["callbacks=[default,ema]", "callbacks.ema.decay=0.9", "trainer.max_epochs=6", "data.batch_size=16"],
]


class Inputs(pl.Callback):
    """Keeps the worst distance of a validated batch norm's statistics from those of what it was given."""

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        images = torch.cat([batch for batch, _, _ in trainer.datamodule.train_dataloader()])
        self.ratio = distance(pl_module, images)


def distance(module: nn.Module, images: torch.Tensor) -> float:
    """How far the last norm's variance lies from that of what it is given, as the logarithm of their ratio."""
    norm = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)][-1]
    seen = []
    handle = norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        module(images.float())
    handle.remove()
    return (norm.running_var / seen[0].var((0, 2, 3))).log().abs().max().item()


def test_norms_are_measured_on_the_averaged_weights(tmp_path, tiny):
    ratios = {}
    for batches in (0, 16):
        inputs = Inputs()
        run(tmp_path / str(batches), tiny, *FAST, f"callbacks.ema.norm_batches={batches}", callbacks=[inputs])
        ratios[batches] = inputs.ratio
    assert ratios[16] < 0.25 < 0.5 < ratios[0]


def test_measuring_norms_does_not_change_what_is_trained(tmp_path, tiny):
    # What is drawn for the norms after an epoch must not change the next one.
    options = [*FAST, "augmentation=keras_like", "trainer.max_epochs=2"]
    for batches in (0, 2):
        run(tmp_path / str(batches), tiny, *options, f"callbacks.ema.norm_batches={batches}")
    losses = [[row["train/loss"] for row in measured(tmp_path / str(batches))] for batches in (0, 2)]
    assert losses[0] == losses[1]
    plain, fitted = weights(tmp_path / "0"), weights(tmp_path / "2")
    assert any("running" in key and not torch.equal(plain[key], fitted[key]) for key in plain)


@pytest.mark.parametrize("options", [["data.train_on=train_val"], ["trainer.check_val_every_n_epoch=4"]])
def test_norms_are_measured_when_training_ends_without_a_validation(tmp_path, tiny, options):
    ratios = {}
    for batches in (0, 16):
        run(tmp_path / str(batches), tiny, *FAST, *options, f"callbacks.ema.norm_batches={batches}")
        module = load_classifier(tmp_path / str(batches) / "checkpoints" / "last.ckpt")
        ratios[batches] = distance(
            module, torch.from_numpy(np.asarray(data_of(module, {}).training_images()))[:, None]
        )
    assert ratios[16] < 0.25 < 0.5 < ratios[0]


def test_dead_units_are_counted_over_the_validation_alone(tmp_path, tiny, monkeypatch):
    passed = {batches: [] for batches in (0, 4)}
    for batches, seen in passed.items():
        monkeypatch.setattr(
            unit_watch, "_extremes", lambda output, seen=seen: seen.append(len(output)) or keep(output)
        )
        options = [f"callbacks.ema.norm_batches={batches}"]
        run(tmp_path / str(batches), tiny, *FAST, *options)
    assert passed[0] == passed[4]
    assert set(passed[4]) == {48}


class Given(pl.Callback):
    """Keeps whether there are averaged weights with their norms after each epoch."""

    def __init__(self) -> None:
        self.there: list[bool] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.there.append(averaged_weights(trainer) is not None)


@pytest.mark.parametrize(
    ("options", "there"),
    [
        (["trainer.check_val_every_n_epoch=2"], [False, True, False, True]),
        (["trainer.check_val_every_n_epoch=2", "callbacks.ema.norm_batches=0"], [True] * 4),
        (["~callbacks.ema"], [False] * 4),
    ],
)
def test_averaged_weights_are_given_with_their_own_norms_or_not_at_all(tmp_path, tiny, options, there):
    given = Given()
    plain = [word for word in FAST if not word.startswith("callbacks.ema") or "~callbacks.ema" not in options]
    run(tmp_path, tiny, *plain, *options, "trainer.max_epochs=4", callbacks=[given])
    assert given.there == there


def test_the_average_lies_where_the_training_runs():
    callback, module = AveragedWeights(norm_batches=0), pl.LightningModule()
    module.layer = nn.Linear(2, 1)
    callback.setup(Mock(strategy=Mock(root_device=torch.device("meta"))), module, "fit")
    assert {value.device.type for value in callback.average(0).values()} == {"meta"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"decay": 1.0}, r"callbacks\.ema\.decay=1.0: expected a number of at least 0 and below 1"),
        ({"update_every_n_steps": 0}, r"callbacks\.ema\.update_every_n_steps=0: .* at least 1"),
        ({"norm_batches": -1}, r"callbacks\.ema\.norm_batches=-1: .* at least 0"),
    ],
)
def test_impossible_averages_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        AveragedWeights(**values)
