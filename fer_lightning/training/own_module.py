"""A LightningModule of somebody else: built from the configuration, and accompanied through its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.optim import Optimizer

from fer_lightning.config.signatures import find_target, given_to, named_parameters
from fer_lightning.errors import ConfigError, nearest
from fer_lightning.training.construct import build
from fer_lightning.training.contract import (
    TrainedModule,
    gathered,
    read_outputs,
    require_contract,
    require_finite,
    seed_epoch,
)
from fer_lightning.training.metrics import classification_metrics
from fer_lightning.training.module import CHECKPOINT_KEY
from fer_lightning.training.own_metrics import OwnMetrics

_PARTS = ("model", "normalization", "augmentation", "loss", "optimizer", "scheduler", "metrics")


def own_target(config: DictConfig) -> str | None:
    """Return the dotted name of the module of somebody else that a configuration trains, if it does."""
    return (config.get("module") or {}).get("_target_")


def build_own_module(config: DictConfig, parts: Mapping[str, Any]) -> TrainedModule:
    """Return the module that ``config.module`` names, with those of the ``parts`` that its signature names.

    Raises
    ------
    ConfigError
        It cannot be built, or does not keep the contract.
    """
    node: Any = OmegaConf.to_container(config.module, resolve=True)
    name = node["_target_"]
    target = find_target(name, "module._target_")
    module = build(OmegaConf.create(node), **given_to(target, node, parts, "module"))
    require_contract(module, name)
    for key, value in (
        ("class_names", tuple(parts["class_names"])),
        ("record", parts["record"]),
        ("predictions", {}),
    ):
        try:
            setattr(module, key, value)
        except (AttributeError, TypeError) as error:
            raise ConfigError(
                f"module: {name} has a {key} that cannot be set; the framework sets it"
            ) from error
    return cast(TrainedModule, module)


def unused_parts(config: DictConfig) -> str:
    """Return a line on the parts of a configuration that its module does not take; empty where there are none."""
    name = own_target(config)
    if name is None:
        return ""
    taken = named_parameters(find_target(name, "module._target_"))
    left = [part for part in _PARTS[:-1] if part not in taken and config.get(part)]
    return f"{name} takes no {', '.join(left)}: those of the configuration are not used" if left else ""


class ModuleKeeper(pl.Callback):
    """Does for a module of somebody else what `ExpressionClassifier` does for itself.

    It seeds each epoch, logs ``train/loss``, ``lr`` and the metrics of each validation, keeps the validation's
    predictions, and stores in checkpoints what builds the module again.

    Parameters
    ----------
    name
        Of the module's class, for messages.
    seed
        See `ExpressionClassifier`.
    monitor
        The metric that decides; the module may log it itself.
    metrics
        What is measured beside the metrics of the table.
    """

    def __init__(self, name: str, seed: int, monitor: str, metrics: OwnMetrics) -> None:
        self.name, self.seed, self.monitor, self.metrics = name, seed, monitor, metrics
        self.outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        self.sums = torch.zeros(2)
        self.rate = 0.0
        self.validated = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw this epoch's random numbers from the seed and the epoch alone."""
        self._require_monitor(trainer)
        seed_epoch(self.seed, trainer.current_epoch, trainer.global_rank)
        self.sums = torch.zeros(2, device=pl_module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the batch's loss up."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor) and loss.numel() == 1:
            count = torch.full_like(self.sums[0], len(batch[2]))
            self.sums += torch.stack([loss.detach().to(self.sums).reshape(()) * count, count])

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Keep the learning rate of the first optimizer's step, see `ExpressionClassifier`."""
        if optimizer is trainer.optimizers[0]:
            self.rate = float(optimizer.param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch's mean training loss and the learning rate of its last step."""
        sums = trainer.strategy.reduce(self.sums, reduce_op="sum")
        assert isinstance(sums, Tensor)
        values: dict[str, Any] = {"lr": self.rate}
        if sums[1]:
            require_finite(float(sums[0]), trainer.current_epoch)
            values["train/loss"] = sums[0] / sums[1]
        pl_module.log_dict(values, rank_zero_only=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse to end without a value of the metric that decides."""
        self._require_monitor(trainer)

    def _require_monitor(self, trainer: pl.Trainer) -> None:
        if self.validated and self.monitor not in trainer.callback_metrics:
            hint = nearest(self.monitor, sorted(trainer.callback_metrics))
            raise ConfigError(f"metric={self.monitor}: {self.name} does not log it; {hint}")

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's logits until the split is complete."""
        self.outputs.append(
            read_outputs(outputs, batch, len(cast(Sequence[str], pl_module.class_names)), self.name)
        )

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the metrics; the predictions stay available to callbacks."""
        if self.outputs:
            module = cast(TrainedModule, pl_module)
            module.predictions = found = gathered(module, self.outputs)
            measured = classification_metrics(
                found["logits"], found["labels"], module.class_names, self.metrics
            )
            module.log_dict({f"val/{key}": value for key, value in measured.items()}, rank_zero_only=True)
            self.validated = not trainer.sanity_checking

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store what builds the module again, as plain values; ``save_hyperparameters`` may hold anything."""
        checkpoint.pop(pl_module.CHECKPOINT_HYPER_PARAMS_KEY, None)
        checkpoint[CHECKPOINT_KEY] = cast(TrainedModule, pl_module).record
