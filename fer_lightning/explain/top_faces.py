"""The faces, and the classes, that drive each filter of a layer most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.config.values import Count, checked
from fer_lightning.errors import DataError
from fer_lightning.explain.layers import activation_of
from fer_lightning.explain.pre_activation import as_maps, pre_activation, response
from fer_lightning.explain.undisturbed import device_of, undisturbed

LARGE_EFFECT = 0.8  # Cohen (1988): a large difference of two means, in standard deviations


@dataclass(frozen=True)
class TopFaces:
    """What a data set's faces do to the filters of one layer.

    Attributes
    ----------
    layer
        Its name.
    class_names
        In the order of the labels.
    positions
        int64 ``[K, k]``: the faces that drive each filter most, strongest first, as the batches number them.
    values, labels
        float32 and int64 ``[K, k]``: what these faces reach, and their classes. The value of a face is the mean
        over the filter's map of the positive part of its pre-activation.
    means
        float64 ``[K, C]``: the mean value of each class's faces; NaN for a class without faces.
    counts
        int64 ``[C]``: faces of each class.
    preferred
        int64 ``[K]``: the class with the largest mean.
    effect
        float64 ``[K]``: by how much it exceeds the faces of all other classes, in pooled standard deviations
        (Cohen's d); 0 for a filter that does not vary.
    """

    layer: str
    class_names: tuple[str, ...]
    positions: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    preferred: np.ndarray
    effect: np.ndarray

    def name(self, filter_number: int, least: float = LARGE_EFFECT) -> str:
        """Return the class a filter stands for, such as ``surprise``, or nothing where the effect is small."""
        if self.effect[filter_number] < least:
            return ""
        return self.class_names[self.preferred[filter_number]]


@checked()
def top_faces(
    model: nn.Module,
    layer: str,
    batches: Iterable[tuple[Tensor, Tensor, Tensor]],
    class_names: Sequence[str],
    *,
    count: Count = 8,
) -> TopFaces:
    """Find the faces that drive each filter most and the class it prefers, in one pass that keeps no maps.

    Parameters
    ----------
    model
        Maps levels, float ``[N, C, H, W]``, to logits.
    layer
        Name of a convolution or a dense layer.
    batches
        Of images ``[N, C, H, W]`` in levels, labels ``[N]`` and positions ``[N]``, such as
        ``data.split_dataloader("val")``.
    class_names
        In the order of the labels.
    count
        Faces kept for each filter; fewer where there are fewer.

    Raises
    ------
    ConfigError
        The layer does not exist or ``count`` is not positive.
    DataError
        There are no faces.
    """
    module = pre_activation(model, layer)
    device = device_of(model)
    tally: _Tally | None = None
    with undisturbed(model), torch.no_grad():
        for images, labels, positions in batches:
            maps = as_maps(activation_of(model, module, images.to(device).float()), layer)
            values = response(maps).cpu()
            tally = tally or _Tally(values.shape[1], len(class_names), count)
            tally.add(values, labels.cpu(), positions.cpu())
    if tally is None:
        raise DataError("no faces: expected at least one batch of them")
    return tally.result(layer, tuple(class_names))


class _Tally:
    """Sums over all faces so far, and the strongest of them."""

    def __init__(self, filters: int, classes: int, count: int) -> None:
        self.count = count
        self.sums = torch.zeros(classes, filters, dtype=torch.float64)
        self.squares = torch.zeros(classes, filters, dtype=torch.float64)
        self.counts = torch.zeros(classes, dtype=torch.int64)
        self.shift: Tensor | None = None
        self.values = torch.empty(0, filters)
        self.positions = self.labels = torch.empty(0, filters, dtype=torch.int64)

    def add(self, values: Tensor, labels: Tensor, positions: Tensor) -> None:
        """Take in a batch: values ``[N, K]``, labels and positions ``[N]``."""
        if self.shift is None:
            # Sums of squares about a value close to the mean lose no digits.
            self.shift = values.double().mean(dim=0)
        centred = values.double() - self.shift
        self.sums.index_add_(0, labels, centred)
        self.squares.index_add_(0, labels, centred.square())
        self.counts += torch.bincount(labels, minlength=len(self.counts))
        merged = torch.cat([self.values, values])
        order = merged.argsort(dim=0, descending=True, stable=True)[: self.count]
        self.values = merged.gather(0, order)
        self.positions = torch.cat([self.positions, positions[:, None].expand_as(values)]).gather(0, order)
        self.labels = torch.cat([self.labels, labels[:, None].expand_as(values)]).gather(0, order)

    def result(self, layer: str, class_names: tuple[str, ...]) -> TopFaces:
        """Return means, preferences and the strongest faces."""
        assert self.shift is not None
        counts = self.counts.double()[:, None]
        means = self.sums / counts  # NaN where there are none
        preferred = torch.where(means.isnan(), -torch.inf, means).argmax(dim=0)
        effect = _effect(self.sums, self.squares, counts, preferred)
        return TopFaces(
            layer=layer,
            class_names=class_names,
            positions=self.positions.T.numpy(),
            values=self.values.T.numpy(),
            labels=self.labels.T.numpy(),
            means=(means + self.shift).T.numpy(),
            counts=self.counts.numpy(),
            preferred=preferred.numpy(),
            effect=effect.numpy(),
        )


def _effect(sums: Tensor, squares: Tensor, counts: Tensor, preferred: Tensor) -> Tensor:
    """Return Cohen's d of each filter's preferred class against all others, ``[K]``."""
    own = torch.zeros_like(sums, dtype=torch.bool)
    own[preferred, torch.arange(len(preferred))] = True
    n, total, square = (
        torch.stack([(part * own).sum(dim=0), (part * ~own).sum(dim=0)])
        for part in (counts.expand_as(sums), sums, squares)
    )
    mean = total / n.clamp_min(1)
    within = (square - n * mean.square()).clamp_min(0).sum(dim=0)
    deviation = (within / (n.sum(dim=0) - 2).clamp_min(1)).sqrt()
    effect = (mean[0] - mean[1]) / deviation
    return torch.where((n[1] > 0) & (deviation > 0), effect, 0.0)
