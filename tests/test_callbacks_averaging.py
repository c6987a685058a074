from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from fer_lightning.callbacks.averaging import AveragedWeights
from fer_lightning.errors import ConfigError
from tests.test_train import measured, run, weights

# A high rate: the weights turn fast, so the average of their statistics is far from the statistics of their average.
FAST = [
    *["model=fast", "model.widths=[8,16]", "optimizer=muon", "optimizer.lr=0.2", "scheduler=constant"],
    *["callbacks=[default,ema]", "callbacks.ema.decay=0.9", "trainer.max_epochs=6", "data.batch_size=16"],
]


class Inputs(pl.Callback):
    """Keeps the worst distance of a validated batch norm's statistics from those of what it was given."""

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        norms = [part for part in pl_module.modules() if isinstance(part, nn.BatchNorm2d)]
        images = torch.cat([batch for batch, _, _ in trainer.datamodule.train_dataloader()]).float()
        seen = []
        handle = norms[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        with torch.no_grad():
            pl_module(images)
        handle.remove()
        variance = seen[0].var((0, 2, 3))
        self.ratio = (norms[-1].running_var / variance).log().abs().max().item()


def test_norms_are_measured_on_the_averaged_weights(tmp_path, tiny):
    ratios = {}
    for batches in (0, 16):
        inputs = Inputs()
        run(tmp_path / str(batches), tiny, *FAST, f"callbacks.ema.norm_batches={batches}", callbacks=[inputs])
        ratios[batches] = inputs.ratio
    assert ratios[16] < 0.25 < 0.5 < ratios[0]


def test_measuring_norms_does_not_change_what_is_trained(tmp_path, tiny):
    # Validating twice an epoch: what is drawn for the norms must not change the rest of the epoch.
    options = [*FAST, "augmentation=r0", "+trainer.val_check_interval=0.5"]
    for batches in (0, 2):
        run(tmp_path / str(batches), tiny, *options, f"callbacks.ema.norm_batches={batches}")
    losses = [[row["train/loss"] for row in measured(tmp_path / str(batches))] for batches in (0, 2)]
    assert losses[0] == losses[1]
    plain, fitted = weights(tmp_path / "0"), weights(tmp_path / "2")
    assert any("running" in key and not torch.equal(plain[key], fitted[key]) for key in plain)


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
