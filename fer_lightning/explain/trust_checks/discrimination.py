"""Whether a map changes when another class is asked about."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from fer_lightning.errors import DataError
from fer_lightning.explain.saliency_methods import Attribution, Method, attributions
from fer_lightning.explain.trust_checks.similarity import similarities


def other_classes(targets: np.ndarray, num_classes: int, seed: int = 0) -> np.ndarray:
    """Return for each face a class that is not its own, each with the same chance, int64 ``[N]``.

    Raises
    ------
    DataError
        There is only one class.
    """
    if num_classes < 2:
        raise DataError(f"{num_classes} class: expected at least 2 to tell maps of classes apart")
    steps = np.random.default_rng(seed).integers(1, num_classes, len(targets))
    return np.asarray((targets + steps) % num_classes)


def class_similarity(
    model: nn.Module,
    images: Tensor,
    found: Attribution,
    method: Method,
    others: np.ndarray,
    *,
    kind: str = "spearman",
    batch_size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Return how alike each map is to the map of another class of the same face, float64 ``[N]``.

    Sixt et al. 2020, https://arxiv.org/abs/1912.09818: a random other logit; 1 is a method that does not see
    what it is asked.
    """
    other = attributions(model, images, others, method, batch_size=batch_size, seed=seed + 1)
    return similarities(found.maps, other.maps, kind)
