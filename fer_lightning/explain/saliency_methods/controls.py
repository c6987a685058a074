"""Pictures that know nothing of the network: what a saliency method has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from fer_lightning.data.picture_arrays import LUMA
from fer_lightning.explain.saliency_methods.attribution import Display


class Random:
    """Noise, drawn anew at each call."""

    name = "random"
    display: Display = "magnitude"
    settings = ""

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, None]:
        """Return uniform noise ``[N, H, W]`` in [0, 1)."""
        return torch.rand(images[:, 0].shape, device=images.device), None


class Sobel:
    """The strength of the face's edges, which looks like an explanation: Adebayo et al. 2018."""

    name = "sobel"
    display: Display = "magnitude"
    settings = ""

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, None]:
        """Return the length of the Sobel gradient of the luma ``[N, H, W]``, in levels per pixel, edges repeated."""
        slope = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=images.device) / 8
        kernels = torch.stack([slope, slope.T]).unsqueeze(1).to(images.dtype)
        edges = conv2d(pad(luma(images), (1, 1, 1, 1), mode="replicate"), kernels)
        return edges.square().sum(1).sqrt(), None


def luma(images: Tensor) -> Tensor:
    """Return pictures ``[N, C, H, W]`` in grey, ``[N, 1, H, W]``: RGB by ITU-R BT.601, others by their mean."""
    if images.shape[1] == 1:
        return images
    if images.shape[1] == 3:
        return (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return images.mean(1, keepdim=True)
