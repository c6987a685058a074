"""A network of your own, in Python: count it, train it, read it back, and begin another run with its weights.

python examples/own_network.py [FOLDER] [key=value ...]    # such as data=image_folder data.path=my_faces
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from fer_lightning.config.compose import compose_config
from fer_lightning.models import model_summary
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.network import build_model
from fer_lightning.training.train import train


class Net(nn.Module):
    """Any module that maps float images [B, C, H, W] to logits [B, num_classes]."""

    def __init__(self, in_channels: int, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, width, 5, 2), nn.BatchNorm2d(width), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2), nn.BatchNorm2d(2 * width), nn.ReLU())
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; any size of images will do."""
        return self.head(self.body(self.stem(images)).mean(dim=(2, 3)))


def main(folder: Path, more: list[str]) -> None:
    """Write the runs ``first`` and ``second`` into ``folder``."""
    # The class by the name under which it is imported: a checkpoint holds it, to build the net again.
    words = ["model=custom", "model._target_=own_network.Net", "model.width=24", "trainer.max_epochs=2"]
    config = compose_config([*words, *more])
    found = model_summary(build_model(config.model, image_size=48, num_classes=7), image_size=48)
    print(f"{found.model}: {found.parameters.total:,} parameters, {found.multiply_adds:,} multiply-adds")

    print(train(config, folder / "first").in_words())
    best = folder / "first" / "checkpoints" / "best.ckpt"
    print(load_classifier(best)(torch.zeros(1, 1, 48, 48)).softmax(1))

    words += [f"model.weights={best}", "model.freeze=[stem]", "optimizer.layer_decay=0.5", "seed=1"]
    print(train(compose_config([*words, *more]), folder / "second").in_words())


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given.pop(0) if given and "=" not in given[0] else "runs/own_network"), given)
