"""Training in bfloat16: what is computed in it, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from fer_lightning.checkpoints import read_checkpoint
from fer_lightning.compose import compose_config
from fer_lightning.precision import warn_if_emulated
from fer_lightning.predictions import read_predictions
from fer_lightning.train import train

HALF = "trainer.precision=bf16-mixed"
# Saliency is drawn in single precision always.
PARTS = ["callbacks=[default,ema]", "callbacks.saliency=null"]


class Watch(pl.Callback):
    """Notes the types in which the first convolution answers and the loss is computed."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        first = next(layer for layer in pl_module.modules() if isinstance(layer, torch.nn.Conv2d))
        first.register_forward_hook(lambda _layer, _inputs, maps: self.convolution.add(maps.dtype))
        pl_module.loss.register_forward_hook(
            lambda _loss, inputs, value: self.loss.add((inputs[0].dtype, value.dtype))
        )

    def __init__(self) -> None:
        self.convolution: set[torch.dtype] = set()
        self.loss: set[tuple[torch.dtype, torch.dtype]] = set()


def test_products_are_of_bfloat16_and_logits_loss_and_weights_are_not(tmp_path, tiny):
    watch = Watch()
    train(compose_config([*tiny, HALF, *PARTS]), tmp_path / "half", extra_callbacks=[watch])
    assert watch.convolution == {torch.bfloat16}
    assert watch.loss == {(torch.float32, torch.float32)}
    train(compose_config([*tiny, *PARTS]), tmp_path / "single")
    half, single = (read_predictions(tmp_path / run / "val_logits.npz").logits for run in ("half", "single"))
    assert half.dtype == np.float32
    assert half == pytest.approx(single, abs=0.1)
    assert not np.array_equal(half, single)
    state = read_checkpoint(tmp_path / "half" / "checkpoints" / "last.ckpt")["state_dict"]
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize(
    ("able", "precision", "said"),
    [
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, "bf16-mixed", True),
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, "bf16-mixed", False),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": True}, "bf16-mixed", False),
        ({"architecture": "x86_64"}, "32-true", False),
        # What other kinds can do goes by other names.
        ({"architecture": "aarch64"}, "bf16-mixed", False),
    ],
)
def test_a_processor_without_bfloat16_is_told_of(monkeypatch, caplog, able, precision, said):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    warn_if_emulated(precision, torch.device("cpu"))
    warn_if_emulated(precision, torch.device("cuda"))
    assert [record.getMessage() for record in caplog.records] == (
        [
            "trainer.precision=bf16-mixed: this processor has no instructions for bfloat16; "
            "32-true is faster on it"
        ]
        if said
        else []
    )
