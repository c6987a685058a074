"""What real faces are to a class: their mean picture, and the largest logit that one of them reaches."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fer_lightning.errors import DataError
from fer_lightning.explain.undisturbed import device_of, undisturbed


def mean_faces(batches: Iterable[tuple[Tensor, Tensor, Tensor]], classes: int) -> Tensor:
    """Return each class's mean face, float32 ``[K, C, H, W]`` in levels, for K classes.

    ``batches`` are of images ``[N, C, H, W]``, labels ``[N]`` and positions.

    Raises
    ------
    DataError
        There are no faces, or none of one class.
    """
    sums: Tensor | None = None
    counts = torch.zeros(classes, dtype=torch.int64)
    for images, labels, _ in batches:
        pixels, labels = images.cpu().double(), labels.cpu()
        sums = torch.zeros(classes, *pixels.shape[1:], dtype=torch.float64) if sums is None else sums
        sums.index_add_(0, labels, pixels)
        counts += torch.bincount(labels, minlength=classes)
    if sums is None or (counts == 0).any():
        raise DataError(
            f"mean faces: faces of each class are {counts.tolist()}; expected at least one of each"
        )
    return (sums / counts[:, None, None, None]).float()


def largest_logits(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Return the largest logit that any face of ``batches`` reaches for each class, float32 ``[K]``.

    Raises
    ------
    DataError
        There are no faces.
    """
    device = device_of(model)
    with undisturbed(model), torch.no_grad():
        best = [model(images.to(device).float()).amax(dim=0).cpu() for images, _, _ in batches]
    if not best:
        raise DataError("no faces: expected at least one batch of them")
    return torch.stack(best).amax(dim=0)
