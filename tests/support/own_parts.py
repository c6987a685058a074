"""Losses, augmentations, metrics and modules of somebody else: what a person might bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional


class Brier(nn.Module):
    """Takes probabilities alone."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return ((logits.softmax(1) - targets) ** 2).sum(1)


class Margin(nn.Module):
    """Takes class indices alone; has a parameter that is trained, and an option."""

    def __init__(self, num_classes: int, margin: float = 1.0) -> None:
        super().__init__()
        self.offset, self.margin = nn.Parameter(torch.zeros(num_classes)), margin

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.multi_margin_loss(logits + self.offset, targets.long(), margin=self.margin)


def square(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits - targets) ** 2


def fixed(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.ones(())


def poly(logits: Tensor, targets: Tensor, epsilon: float = 1.0) -> Tensor:
    """A function of either kind of targets, with an option."""
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return losses + epsilon * (1 - (-losses).exp())


class Noise(nn.Module):
    """An augmentation with a parameter in the state, which draws from torch's generator."""

    def __init__(self, strength: float = 8.0) -> None:
        super().__init__()
        self.strength = strength
        self.register_buffer("grain", torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return (images + self.strength * self.grain * torch.randn_like(images)).clamp(0, 255)


class Halved(nn.Module):
    """Makes pictures of half the size."""

    def forward(self, images: Tensor) -> Tensor:
        return functional.avg_pool2d(images, 2)


class Blind(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(1)


def wrong(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(1) != labels).float().mean()


def every_face(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.argmax(1) != labels


def of_classes(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1]).float()


@dataclass
class Camera:
    lens: str
    metres: float = 1.0


@dataclass
class StudyKeys:
    """Top-level keys of a program of one's own."""

    camera: Camera
    width: int = 4


class LooseKeys(TypedDict, total=False):
    width: int


class ClashingKeys(TypedDict):
    seed: int


class Step(pl.LightningModule):
    """A LightningModule with a net of its own, which keeps the contract and logs a value of its own."""

    def __init__(self, num_classes: int, width: int = 4, rate: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.AvgPool2d(4),
            nn.Flatten(),
            nn.Linear(144, width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, num_classes),
        )
        self.rate = rate

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images / 255)

    def training_step(self, batch, batch_idx: int) -> Tensor:
        return functional.cross_entropy(self(batch[0].float()), batch[1])

    def validation_step(self, batch, batch_idx: int):
        logits = self(batch[0].float())
        self.log("val/spread", logits.std())
        return {"logits": logits, "labels": batch[1]}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.rate)


class NoSteps(pl.LightningModule):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class Silent(Step):
    def validation_step(self, batch, batch_idx: int):
        return None


class Short(Step):
    def validation_step(self, batch, batch_idx: int):
        return {"logits": self(batch[0].float())[:1], "labels": batch[1][:1]}


class Narrow(Step):
    def forward(self, images: Tensor) -> Tensor:
        return self.net(images / 255)[:, :3]


class Frozen(Step):
    def training_step(self, batch, batch_idx: int):
        return torch.zeros(())


class Broken(Step):
    def training_step(self, batch, batch_idx: int):
        raise RuntimeError("no\nluck")
