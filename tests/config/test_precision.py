"""Training in bfloat16: what is computed in it, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from fer_lightning.config.compose import compose_config
from fer_lightning.config.precision import warn_of_precision
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.training.checkpoints import read_checkpoint
from fer_lightning.training.train import train

HALF = "trainer.precision=bf16-mixed"
# Saliency is drawn in single precision always.
PARTS = ["callbacks=[default,ema]", "callbacks.saliency=null"]


class Watch(pl.Callback):
    """Notes the types in which the first convolution answers and the loss is computed."""

    def __init__(self) -> None:
        self.convolution: set[torch.dtype] = set()
        self.loss: set[tuple[torch.dtype, torch.dtype]] = set()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        first = next(layer for layer in pl_module.modules() if isinstance(layer, torch.nn.Conv2d))
        first.register_forward_hook(lambda _layer, _inputs, maps: self.convolution.add(maps.dtype))
        pl_module.loss.register_forward_hook(
            lambda _loss, inputs, value: self.loss.add((inputs[0].dtype, value.dtype))
        )


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


WITHOUT = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}
SLOW = "this processor has no instructions for bfloat16: trainer.precision=32-true is faster on it"
OTHER = "trainer.precision=16-mixed needs a GPU: this processor trains in bf16-mixed"


@pytest.mark.parametrize(
    ("able", "asked", "said"),
    [
        (WITHOUT, "bf16-mixed", [SLOW]),
        (WITHOUT, "16-mixed", [OTHER, SLOW]),
        (WITHOUT, "32-true", []),
        (WITHOUT | {"avx512_bf16": True}, "bf16-mixed", []),
        (WITHOUT | {"amx_bf16": True}, "bf16-mixed", []),
        (WITHOUT | {"amx_bf16": True}, "16-mixed", [OTHER]),
        # What other kinds can do goes by other names.
        ({"architecture": "aarch64"}, "bf16-mixed", []),
    ],
)
def test_what_a_processor_makes_of_a_precision_is_said(monkeypatch, caplog, able, asked, said):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    warn_of_precision(asked, torch.device("cpu"))
    assert [record.getMessage() for record in caplog.records] == said
    caplog.clear()
    warn_of_precision(asked, torch.device("cuda"))
    assert not caplog.records


def test_single_precision_is_what_a_trainer_without_one_has(tmp_path, tiny, caplog, recwarn):
    train(compose_config([*tiny, "trainer.precision=null"]), tmp_path / "none")
    assert not [record for record in caplog.records if "precision" in record.getMessage()]
    train(compose_config([*tiny, "trainer.precision=16-mixed"]), tmp_path / "half")
    assert OTHER in [record.getMessage() for record in caplog.records]
    assert not [str(one.message) for one in recwarn if "fp16" in str(one.message)]
