"""The LightningModule that trains every model of the project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fer_lightning.data.augmentation import Augmentation
from fer_lightning.data.loader import Batch
from fer_lightning.errors import ConfigError
from fer_lightning.training.contract import TrainedModule, gathered, require_finite, seed_epoch
from fer_lightning.training.loss import TrainingLoss
from fer_lightning.training.metrics import classification_metrics
from fer_lightning.training.own_metrics import OwnMetrics
from fer_lightning.training.schedules import needs_length

CHECKPOINT_KEY = "fer_lightning"


class ExpressionClassifier(TrainedModule):
    """Augmentation, normalization, net and loss; faces in, logits out.

    Parameters
    ----------
    model
        The net: float32 ``[B, C, H, W]``, C being 1 for grey and 3 for colour, to logits ``[B, K]``.
    normalization
        Levels 0–255 to the net's input; its statistics are stored with the weights.
    augmentation
        Changes training faces; works on levels 0–255.
    optimizer
        Called with the parameters, gives the optimizer.
    scheduler
        Called with the optimizer and ``total_steps``, gives the schedule of each step.
    class_names
        In the order of the logits.
    loss
        What to minimize: see `loss`. Training accuracy counts the face that has the larger share of a blend.
    seed
        Every epoch's random numbers follow from it and the epoch's number, so that a resumed run draws what
        an uninterrupted one draws, whatever callbacks did between.
    record
        Plain values stored in every checkpoint: what is needed to build this module again.
    initial_weights
        A line on what was taken over from a file of weights; empty where they are drawn.
    metrics
        What is measured on a split beside the metrics of the table.
    """

    def __init__(
        self,
        model: nn.Module,
        normalization: nn.Module,
        augmentation: nn.Module,
        *,
        optimizer: Callable[..., Optimizer] | None = None,
        scheduler: Callable[..., Any] | None = None,
        class_names: Sequence[str],
        loss: TrainingLoss | None = None,
        seed: int = 0,
        record: dict[str, Any] | None = None,
        initial_weights: str = "",
        metrics: OwnMetrics | None = None,
    ) -> None:
        super().__init__()
        self.model, self.normalization, self.augmentation = model, normalization, augmentation
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.class_names = tuple(class_names)
        self.loss = loss or TrainingLoss()
        self.seed, self.record, self.initial_weights = seed, dict(record or {}), initial_weights
        self.metrics = metrics
        self.train_sums = torch.zeros(3)
        self.rate = 0.0
        self.outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        self.predictions = {}

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``[B, K]`` of faces ``[B, C, H, W]`` with levels 0–255, as single precision or more."""
        logits: Tensor = self.model(self.normalization(images))
        # Under bf16-mixed or 16-mixed the net gives half precision, in which a loss would be rounded again and sums go
        # wrong, and of which NumPy has no bfloat16. What the net itself has rounded stays so.
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def on_train_epoch_start(self) -> None:
        """Draw this epoch's random numbers from the seed and the epoch alone."""
        seed_epoch(self.seed, self.current_epoch, self.global_rank)
        self.train_sums = torch.zeros(3, device=self.device)
        if isinstance(self.augmentation, Augmentation):
            # By whole epochs, so that a resumed run sees the sizes of an uninterrupted one.
            self.augmentation.progress = self.current_epoch / max(1, self.trainer.max_epochs or 1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch; sums stay on the device until the epoch ends."""
        images, labels, positions = batch
        images = self.augmentation(images.float())
        loss, logits = self.loss.of_batch(self, images, labels, positions)
        with torch.no_grad():
            right = (logits.argmax(1) == labels).sum()
            count = torch.full_like(loss, len(labels))
            self.train_sums += torch.stack([loss.detach() * count, right.to(loss.dtype), count])
        return loss

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Keep the learning rate of the step: after it the schedule has gone on, at last beyond its end."""
        self.rate = float(optimizer.param_groups[0]["lr"])

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean training loss (as trained on) and accuracy, and the rate of its last step."""
        sums = self.trainer.strategy.reduce(self.train_sums, reduce_op="sum")
        assert isinstance(sums, Tensor)
        values = {"train/loss": sums[0] / sums[2], "train/acc": sums[1] / sums[2]}
        require_finite(float(sums[0]), self.current_epoch)
        self.log_dict(values | {"lr": self.rate}, rank_zero_only=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep a batch's logits until the split is complete."""
        images, labels, positions = batch
        self.outputs.append((self(images), labels, positions))

    test_step = validation_step
    predict_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics; the predictions stay available to callbacks."""
        if self.outputs:
            self.predictions = gathered(self, self.outputs)
            self._log_split("val")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        if self.outputs:
            self.predictions = gathered(self, self.outputs)
            self._log_split("test")

    def _log_split(self, split: str) -> None:
        measured = classification_metrics(
            self.predictions["logits"], self.predictions["labels"], self.class_names, self.metrics
        )
        # Every process holds the whole gathered split, so the values are already the same everywhere.
        self.log_dict({f"{split}/{key}": value for key, value in measured.items()}, rank_zero_only=True)

    def configure_optimizers(self) -> Any:
        """Return the optimizer and, where there is one, the schedule of its learning rate."""
        assert self.make_optimizer is not None, "this module was built for prediction"
        optimizer = self.make_optimizer([each for each in self.parameters() if each.requires_grad])
        if self.make_scheduler is None:
            return optimizer
        steps = self.trainer.estimated_stepping_batches  # infinite where time alone ends the training
        length = {"total_steps": max(1, int(steps))} if needs_length(self.make_scheduler) else {}
        try:
            schedule = self.make_scheduler(optimizer, **length)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise ConfigError(f"scheduler: {error}, in a training of {steps} steps") from error
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what is needed to build this module again, as plain values."""
        checkpoint[CHECKPOINT_KEY] = self.record


def network_of(module: nn.Module) -> nn.Module:
    """Return the net of a module that is trained here; of somebody else's the whole of it."""
    return module.model if isinstance(module, ExpressionClassifier) else module


def network_weights(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a module's state what predicts: neither an own loss's nor an own augmentation's parameters."""
    return {key: value for key, value in state.items() if not key.startswith(("loss.", "augmentation."))}
