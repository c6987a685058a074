"""Losses, augmentations, metrics and modules of somebody else: what a person might bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

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
