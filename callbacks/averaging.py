"""A moving average of the weights, with batch norms that fit it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fer_lightning.config.values import Count, CountOrZero, ShareBelowOne, checked
from fer_lightning.training.depth import frozen_modules
from fer_lightning.training.module import ExpressionClassifier, network_of


class AveragedWeights(EMAWeightAveraging):
    """Validates, and keeps in checkpoints, an exponential moving average of the weights.

    The average of the batch norms' statistics is not the statistics of the averaged weights: those differ the
    more the faster the weights turn, until at a high rate the average classifies hardly better than chance.
    Therefore they are measured anew on training batches before each validation, and when training ends without one,
    as in Izmailov et al., "Averaging weights leads to wider optima and better generalization" (2018).

    Parameters
    ----------
    decay
        Of the average, each step, in [0, 1).
    update_every_n_steps
        Steps from one update of the average to the next.
    norm_batches
        Training batches on which the statistics are measured, of faces as they are: not augmented, as those that
        are validated are not. 0 keeps the moving average of the statistics.
    """

    @checked("callbacks.ema.")
    def __init__(
        self, decay: ShareBelowOne = 0.99, update_every_n_steps: Count = 1, norm_batches: CountOrZero = 16
    ) -> None:
        super().__init__(decay=decay, update_every_n_steps=update_every_n_steps)
        self.norm_batches = norm_batches
        self._measured_at = -1

    def average(self, step: int) -> dict[str, Tensor] | None:
        """Return the averaged weights as a state of the module.

        ``None`` before training begins, and where their norms were not measured at this optimizer step.
        """
        if self._average_model is None or (self.norm_batches and self._measured_at != step):
            return None
        return self._average_model.module.state_dict()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the average, on the device of the training: the module comes there only later."""
        self._device = self._device or trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average in the weights' place until validation ends, and measure its batch norms."""
        super().on_validation_epoch_start(trainer, pl_module)
        if self.norm_batches and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._measure_norms(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the average's batch norms before the last checkpoint is written, if no validation has done so."""
        super().on_train_epoch_end(trainer, pl_module)
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        ends = ends or 0 <= trainer.max_steps <= trainer.global_step
        if self.norm_batches and ends and self._measured_at != trainer.global_step:
            self._swap_models(pl_module)
            with torch.no_grad():
                self._measure_norms(trainer, pl_module)
            self._swap_models(pl_module)

    def _measure_norms(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._measured_at = trainer.global_step
        net: nn.Module = network_of(pl_module)
        # Somebody else's module takes levels.
        prepare = pl_module.normalization if isinstance(pl_module, ExpressionClassifier) else nn.Identity()
        frozen = frozen_modules(net)
        norms = [part for part in net.modules() if isinstance(part, _BatchNorm) and part not in frozen]
        if not norms:
            return
        loader = trainer.datamodule.train_dataloader()  # type: ignore[attr-defined]
        loader.set_epoch(trainer.current_epoch)
        inputs = (prepare(images.float()) for images, _, _ in islice(loader, self.norm_batches))
        device = pl_module.device
        # What dropout draws here must not change what the rest of the epoch draws.
        kind, devices = ("cuda", []) if device.type == "cpu" else (device.type, [device])
        with torch.random.fork_rng(devices, device_type=kind), trainer.precision_plugin.forward_context():
            _measure(norms, net, inputs)
        for norm in norms:
            for statistic in (norm.running_mean, norm.running_var):
                if isinstance(statistic, Tensor):
                    statistic.copy_(trainer.strategy.reduce(statistic, reduce_op="mean"))


@torch.no_grad()
def _measure(norms: Iterable[_BatchNorm], model: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Measure norms as `torch.optim.swa_utils.update_bn` does, but not those that are frozen."""
    momenta = {norm: norm.momentum for norm in norms}
    training = model.training
    model.train()
    for norm in momenta:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
    for batch in inputs:
        model(batch)
    for norm, momentum in momenta.items():
        norm.momentum = momentum
    model.train(training)


def averaged_weights(trainer: pl.Trainer) -> dict[str, Tensor] | None:
    """Return the weights that were just validated where a run averages them, as a state of its module.

    ``None`` where it averages none, and after an epoch without validation.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, AveragedWeights):
            return callback.average(trainer.global_step)
    return None
