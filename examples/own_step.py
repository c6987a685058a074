"""A LightningModule, a metric and top-level keys of your own, trained, measured and resumed by the framework.

python examples/own_step.py [FOLDER] [key=value ...]    # such as data=image_folder data.path=my_faces
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
from torch import Tensor

from fer_lightning.config.compose import compose_config
from fer_lightning.evaluation.evaluate import evaluate
from fer_lightning.training.train import train


@dataclass
class Keys:
    """Top-level keys of this program."""

    agreement: float = 1.0


class TwoViews(pl.LightningModule):
    """Asks a net for the same answer on two augmented views of a face (as R-Drop, Liang et al. 2021)."""

    def __init__(self, model, normalization, augmentation, loss, optimizer, weight: float = 1.0) -> None:
        super().__init__()
        self.model, self.normalization, self.augmentation = model, normalization, augmentation
        self.loss, self.make_optimizer, self.weight = loss, optimizer, weight

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of float levels 0-255."""
        return self.model(self.normalization(images))

    def training_step(self, batch, batch_idx: int) -> Tensor:
        """Return the loss of both views, and how far apart they are."""
        one, other = (self(self.augmentation(batch[0].float())) for _ in range(2))
        apart = (one.softmax(1) - other.softmax(1)).square().mean()
        return (self.loss(one, batch[1]) + self.loss(other, batch[1])) / 2 + self.weight * apart

    def validation_step(self, batch, batch_idx: int) -> dict[str, Tensor]:
        """Return what the framework keeps by the faces' ids."""
        return {"logits": self(batch[0].float()), "labels": batch[1]}

    def configure_optimizers(self):
        """Return the optimizer of the configuration."""
        return self.make_optimizer(self.parameters())


if __name__ == "__main__":
    given = sys.argv[1:]
    folder = Path(given.pop(0) if given and "=" not in given[0] else "runs/own_step")
    words = ["module._target_=own_step.TwoViews", "schema=own_step.Keys", "+agreement=2.0"]
    words += ["module.weight=${agreement}", "metric=val/kappa", "trainer.max_epochs=2"]
    words += ["metrics.kappa._target_=torchmetrics.classification.MulticlassCohenKappa"]
    print(train(compose_config([*words, *given]), folder).in_words())
    print(evaluate([folder / "checkpoints" / "best.ckpt"], "test"))
