"""Normalization layers by name, for feature maps and for dense features."""

from __future__ import annotations

from torch import nn

from fer_lightning.config.values import checked
from fer_lightning.models.options import Norm

_MOST_GROUPS = 32
_LEAST_CHANNELS = 16


def group_count(channels: int) -> int:
    """Return how many groups `group` makes: the largest divisor of `channels` that is allowed.

    At most 32 groups, and at least 16 channels in each (1 group where `channels` is smaller): both are the
    settings of Wu & He, "Group Normalization" (2018), and groups of very few dense features would be pressed
    to ±1.
    """
    most = max(1, min(_MOST_GROUPS, channels // _LEAST_CHANNELS))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


@checked("model.")
def make_norm(norm: Norm, channels: int, *, maps: bool) -> nn.Module | None:
    """Build the normalization called `norm`; None for `none`.

    Parameters
    ----------
    maps
        True for feature maps [B, C, H, W], False for dense features [B, C].

    `layer` is taken over C, H and W of a feature map, with a scale and a shift for each channel
    (`GroupNorm(1, C)`), and over C of dense features.
    """
    if norm == "batch":
        return nn.BatchNorm2d(channels) if maps else nn.BatchNorm1d(channels)
    if norm == "group":
        return nn.GroupNorm(group_count(channels), channels)
    if norm == "layer":
        return nn.GroupNorm(1, channels) if maps else nn.LayerNorm(channels)
    return None
