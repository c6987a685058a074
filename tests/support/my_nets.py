"""Nets of somebody else: what a person might bring."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Net(nn.Module):
    """Convolutions under names of their own, activations as functions, a head for any size."""

    def __init__(self, num_classes: int, width: int = 8, rate: float = 0.0) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, width, 5, stride=2)
        self.norm = nn.BatchNorm2d(width)
        self.middle = nn.Conv2d(width, 2 * width, 3, stride=2)
        self.drop = nn.Dropout(rate)
        self.leave = nn.Linear(2 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.relu(self.norm(self.enter(images)))
        maps = functional.relu(self.middle(maps))
        return self.leave(self.drop(maps.mean(dim=(2, 3))))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        return self.relu(maps + self.conv2(self.relu(self.conv1(maps))))


class Residual(nn.Module):
    """As torchvision has them: one rectifier in several places, working in place; registered last to first."""

    def __init__(self, in_channels: int, num_classes: int, width: int = 8) -> None:
        super().__init__()
        self.fc = nn.Linear(width, num_classes)
        self.layer2 = nn.Sequential(Block(width), Block(width))
        self.layer1 = nn.Sequential(Block(width), nn.MaxPool2d(2))
        self.stem = nn.Conv2d(in_channels, width, 5, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.layer2(self.layer1(self.stem(images)))
        return self.fc(maps.mean(dim=(2, 3)))


class Patches(nn.Module):
    """A small transformer without any convolution."""

    def __init__(
        self, image_size: int, num_classes: int, patch: int = 12, width: int = 16, depth: int = 2
    ) -> None:
        super().__init__()
        self.cut = nn.Unfold(patch, stride=patch)
        self.position = nn.Parameter(torch.zeros(1, (image_size // patch) ** 2, width))
        self.embed = nn.Linear(patch * patch, width)
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, 0.0, nn.GELU(), batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(self.cut(images).transpose(1, 2)) + self.position
        return self.head(self.blocks(tokens).mean(dim=1))


class Viewed(nn.Module):
    """Flattens with `view`, which takes no channels-last maps."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3, stride=8), nn.Linear(4 * 6 * 6, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv(images).view(len(images), -1))


def lazy(num_classes: int, width: int = 4) -> nn.Module:
    """A function, whose head finds its size when it is first called."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(num_classes)
    )


def anything(**options: Any) -> nn.Module:
    """Takes options of any name, as functions of torchvision do."""
    return Net(options.get("num_classes", 10), options.get("width", 8))


def number(num_classes: int) -> int:
    return num_classes


def demanding(num_classes: int, depth: int, width: int) -> nn.Module:
    return Net(num_classes, width)
