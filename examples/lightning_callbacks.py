"""A Lightning program of one's own with three callbacks: confusion matrix, checked saliency, dead units.

    python examples/lightning_callbacks.py

Nothing here is of fer_lightning but the callbacks. Their files lie beside the logger's, in lightning_logs/version_N/.
"""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fer_lightning.callbacks.confusion import ConfusionMatrix
from fer_lightning.callbacks.dead_units import DeadUnits
from fer_lightning.callbacks.saliency import SaliencyMaps


class Classifier(pl.LightningModule):
    class_names = ("red", "green", "blue")  # optional
    input_range = (0.0, 1.0)  # optional: what is black and what is white

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 3)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.01)


def squares(count: int) -> TensorDataset:
    """Grey noise with a coloured square somewhere in it."""
    images, labels = 0.5 * torch.rand(count, 3, 32, 32), torch.randint(3, (count,))
    for image, label in zip(images, labels, strict=True):
        top, left = torch.randint(24, (2,)).tolist()
        image[label, top : top + 8, left : left + 8] += 0.5
    return TensorDataset(images, labels)


if __name__ == "__main__":
    torch.manual_seed(0)
    callbacks = [ConfusionMatrix(), SaliencyMaps(method="occlusion", check=True), DeadUnits(draw=True)]
    trainer = pl.Trainer(max_epochs=8, callbacks=callbacks)
    trainer.fit(Classifier(), DataLoader(squares(512), 32, shuffle=True), DataLoader(squares(128), 64))
    print("see", trainer.log_dir)
