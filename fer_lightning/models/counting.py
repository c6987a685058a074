"""How many parameters a model has, and how many multiply-adds one image costs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from fer_lightning.models.modes import evaluation


class ParameterCount(NamedTuple):
    """Parameters as Keras counts them: `total` = `trainable` + `non_trainable`."""

    total: int
    trainable: int
    non_trainable: int


def count_parameters(model: nn.Module) -> ParameterCount:
    """Count the parameters as Keras does.

    Batch norm's running mean and variance (2 values a channel) count as non-trainable parameters, and so do
    parameters that are frozen; a parameter that two layers share counts once.
    """
    parameters = list(model.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    frozen = sum(p.numel() for p in parameters if not p.requires_grad)
    norms = (m for m in model.modules() if isinstance(m, _BatchNorm))
    running = sum(2 * m.num_features for m in norms if m.track_running_stats)
    return ParameterCount(trainable + frozen + running, trainable, frozen + running)


def blank_image(model: nn.Module, image_size: int, channels: int = 1) -> torch.Tensor:
    """Return zeros [1, channels, image_size, image_size] of the device and type of the model's parameters."""
    parameter = next(model.parameters(), torch.empty(0))
    return torch.zeros(1, channels, image_size, image_size, device=parameter.device, dtype=parameter.dtype)


def count_multiply_adds(model: nn.Module, image_size: int, channels: int = 1) -> int:
    """Count the multiply-adds of one image's forward pass, in convolutions and matrix products.

    Biases, norms, activations and pools are left out, as is usual. The counts are torch's own (a multiply-add
    is two of its floating-point operations). No random number is drawn.
    """
    image = blank_image(model, image_size, channels)
    with evaluation(model), FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops()) // 2
