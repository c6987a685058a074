"""Muon: momentum whose matrices are made orthogonal before they are subtracted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fer_lightning.config.values import Count, NotNegative, Positive, ShareBelowOne, checked

# A quintic that brings singular values from (0, 1] near 1 in a few rounds (Jordan et al. 2024).
COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
TINY: Final = 1e-7


def orthogonalize(matrix: Tensor, rounds: int = 3) -> Tensor:
    """Return a matrix [R, C] with the singular vectors of ``matrix`` and singular values near 1.

    Newton and Schulz's iteration with the quintic of Jordan et al., "Muon: an optimizer for hidden layers in
    neural networks" (2024): only matrix products, no decomposition. After five rounds the singular values lie
    between 0.7 and 1.2; three do as well in training and cost less.
    """
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    found = wide / (wide.norm() + TINY)
    a, b, c = COEFFICIENTS
    for _ in range(rounds):
        gram = found @ found.T
        found = a * found + (b * gram + c * gram @ gram) @ found
    return found.T if matrix.shape[0] > matrix.shape[1] else found


class Muon(Optimizer):
    """Muon for the convolutions, stochastic gradient descent for everything else.

    The momentum of a convolution [O, I, kH, kW] is taken as a matrix [O, I·kH·kW] and made orthogonal, so that
    every direction of it moves the weights equally far; before each step they are brought to the norm √O. Under a
    batch norm their scale has no effect but on the step: with a fixed norm ``lr`` is the share of the
    weights that one step turns. The first convolution, whose filters have one input channel, and all
    that is not a convolution follow Nesterov's momentum.

    Parameters
    ----------
    params
        The net's parameters.
    lr
        Of the convolutions.
    momentum
        Of both kinds, in [0, 1).
    rounds
        Of the orthogonalization.
    other_lr
        Of everything else. A schedule moves both rates in proportion.
    weight_decay
        Of the other matrices; norms and biases have none.
    """

    @checked("optimizer.")
    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: Positive = 0.05,
        momentum: ShareBelowOne = 0.9,
        rounds: Count = 3,
        other_lr: Positive = 0.1,
        weight_decay: NotNegative = 5e-4,
    ) -> None:
        kinds: dict[str, list[nn.Parameter]] = {"convolutions": [], "matrices": [], "vectors": []}
        for parameter in params:
            kinds[_kind(parameter)].append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": kinds["convolutions"], "orthogonal": True, "lr": lr, "weight_decay": 0.0},
            {"params": kinds["matrices"], "orthogonal": False, "lr": other_lr, "weight_decay": weight_decay},
            {"params": kinds["vectors"], "orthogonal": False, "lr": other_lr, "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], {"momentum": momentum})
        self.rounds = rounds

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters once by their gradients; return what ``closure`` returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                moved = self._momentum(parameter, group)
                if group["orthogonal"]:
                    matrix = orthogonalize(moved.flatten(1), self.rounds)
                    parameter.mul_(len(parameter) ** 0.5 / (parameter.norm() + TINY))
                    moved = matrix.view_as(parameter)
                parameter.add_(moved, alpha=-group["lr"])
        return loss

    def _momentum(self, parameter: nn.Parameter, group: dict[str, Any]) -> Tensor:
        """Return the gradient, decayed, with Nesterov's momentum; the buffer is kept in the state."""
        gradient = parameter.grad
        assert gradient is not None
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer: Tensor = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        return gradient.add(buffer, alpha=group["momentum"])


def _kind(parameter: nn.Parameter) -> str:
    if parameter.dim() == 4 and parameter.shape[1] > 1:
        return "convolutions"
    return "matrices" if parameter.dim() > 1 else "vectors"
