"""One batch of images on its way up, each to a filter of its own."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_lightning.explain.fill import blurred
from fer_lightning.explain.layers import activation_of, find_layer
from fer_lightning.explain.own_maps import own_maps
from fer_lightning.explain.pre_activation import as_maps, response

MID_GREY: Final = 127.5
LEAK: Final = 0.1  # slope below the threshold: without it a filter that noise leaves silent has no gradient
Objective = Literal["map", "unit"]


class Climb:
    """The ascent of one batch of images, each to its own filter."""

    def __init__(
        self,
        model: nn.Module,
        module: nn.Module,
        name: str,
        objective: Objective,
        lr: float,
        contrast: float,
        smooth: float,
    ) -> None:
        self.model, self.module, self.name, self.objective = model, module, name, objective
        self.layer, self.lr, self.contrast = find_layer(model, name), lr, contrast
        self.smooth = smooth

    def maps(self, images: Tensor) -> Tensor:
        """Return the layer's pre-activations ``[N, K, h, w]``."""
        return as_maps(activation_of(self.model, self.module, images), self.name)

    def run(self, noise: Tensor, filters: Tensor, shifts: list[list[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """Return images ``[B, C, H, W]``, the activation each reached ``[B]``, and where a gradient was."""
        images = noise.repeat(len(filters), 1, 1, 1)
        touched = torch.zeros_like(images, dtype=torch.bool)
        for shift in shifts:
            gradient = self.gradient(images, filters, shift)
            touched |= gradient != 0
            images = self.step(images, gradient, touched)
        with torch.no_grad():
            maps = own_maps(self.model, self.layer, self.module, images, filters, self.name)
            return images, measure(maps[:, None], self.objective)[:, 0], touched

    def gradient(self, images: Tensor, filters: Tensor, shift: list[int]) -> Tensor:
        """Return the gradient of each image's objective with respect to it."""
        images = images.detach().requires_grad_()
        seen = images.roll(shift, dims=(2, 3)) if any(shift) else images
        maps = own_maps(self.model, self.layer, self.module, seen, filters, self.name)
        if self.objective == "unit":
            climbed = maps[:, maps.shape[1] // 2, maps.shape[2] // 2]
        else:
            climbed = F.leaky_relu(maps, LEAK).mean(dim=(1, 2))
        return torch.autograd.grad(climbed.sum(), images)[0]

    def step(self, images: Tensor, gradient: Tensor, touched: Tensor) -> Tensor:
        """Go one step up, then back to the contrast allowed and to levels 0–255."""
        if self.smooth:
            gradient = blurred(gradient, self.smooth, reach=2.5, edges="constant")
        pixels = touched.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1)
        size = (gradient.square().sum(dim=(1, 2, 3), keepdim=True) / pixels).sqrt()
        moved = images - MID_GREY + self.lr * gradient / size.clamp_min(1e-30)
        deviation = ((moved * touched).square().sum(dim=(1, 2, 3), keepdim=True) / pixels).sqrt()
        factor = (self.contrast / deviation.clamp_min(1e-30)).clamp_max(1.0)
        return (MID_GREY + torch.where(touched, moved * factor, moved)).clamp(0.0, 255.0)


def measure(maps: Tensor, objective: str) -> Tensor:
    """Return the activation that is reported, ``[N, K]``."""
    if objective == "unit":
        return maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
    return response(maps)
