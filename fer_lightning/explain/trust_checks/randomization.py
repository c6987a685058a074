"""A network with newly drawn weights: an explanation that does not notice explains nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.explain.saliency_methods import Attribution, Method, attributions
from fer_lightning.explain.trust_checks.similarity import similarities
from fer_lightning.explain.undisturbed import undisturbed
from fer_lightning.messages import progress


def weighted_layers(model: nn.Module) -> list[str]:
    """Return the dotted names of the modules that have parameters of their own, from the last to the first."""
    return [name for name, module in model.named_modules() if list(module.parameters(recurse=False))][::-1]


@contextmanager
def redrawn(model: nn.Module, layers: Sequence[str], seed: int = 0) -> Iterator[None]:
    """Within this context the named layers' weights are drawn anew; afterwards all are as before, bit by bit.

    A layer draws as PyTorch first draws it (``reset_parameters``, which also clears the running statistics of
    batch norm); parameters of other modules become normal noise of their own mean and deviation. Within, the
    model is also ``undisturbed``.
    """
    modules = dict(model.named_modules())
    kept = [(each, each.detach().clone()) for each in model.parameters()]
    with undisturbed(model):
        try:
            torch.manual_seed(seed)
            with torch.no_grad():
                for name in layers:
                    _redraw(modules[name])
            yield
        finally:
            with torch.no_grad():
                for parameter, before in kept:
                    parameter.copy_(before)


def _redraw(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in module.parameters(recurse=False):
        deviation = parameter.std(correction=0) if parameter.numel() > 1 else parameter.abs().sum()
        parameter.copy_(parameter.mean() + deviation * torch.randn_like(parameter))


def redrawn_similarity(
    model: nn.Module,
    images: Tensor,
    found: Attribution,
    method: Method,
    *,
    redraws: int = 1,
    layers: Sequence[str] | None = None,
    kind: str = "spearman",
    batch_size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Return how alike each map is to that of the same network with other weights (Adebayo et al. 2018).

    https://arxiv.org/abs/1810.03292; their "independent" test when ``layers`` is one, the end of their
    "cascading" one when it is all.

    Parameters
    ----------
    model, images
        As in ``attributions``.
    found
        What ``method`` says of the trained network.
    redraws
        Networks drawn; the similarity is their mean.
    layers
        Names of the layers to draw; ``None`` is all.
    kind
        As in ``similarities``.

    Returns
    -------
    numpy.ndarray
        float64 ``[N]``.
    """
    names = weighted_layers(model) if layers is None else list(layers)
    alike = []
    for number in progress(range(redraws), "nets with new weights"):
        with redrawn(model, names, seed=seed + number):
            other = attributions(
                model, images, found.targets, method, batch_size=batch_size, seed=seed + number + 1
            )
        alike.append(similarities(found.maps, other.maps, kind))
    return np.mean(alike, axis=0)
