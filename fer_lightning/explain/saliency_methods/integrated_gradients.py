"""Gradients summed along the way from a baseline to the face."""

from __future__ import annotations

from torch import Tensor, nn

from fer_lightning.config.values import Count, checked
from fer_lightning.explain.fill import Fill, fill_words, filled
from fer_lightning.explain.saliency_methods.attribution import Display
from fer_lightning.messages import counted

_PASS = 64  # images in one pass at least


class IntegratedGradients:
    """Integrated gradients: Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365.

    A face's values sum to f(face) − f(baseline), in logits, up to the completeness error of the sum; a colour
    pixel's value is the sum over its channels.

    Parameters
    ----------
    steps
        Points of the Gauss-Legendre rule on the way.
    baseline
        Where the way begins: ``mean`` (a flat image of each face's mean), ``black``, ``blur``, a grey level, or
        an image ``[H, W]`` or ``[H, W, 3]`` such as the mean training face. Black makes dark pixels count nothing.
    """

    name = "integrated_gradients"
    display: Display = "magnitude"

    @checked("saliency.")
    def __init__(self, steps: Count = 32, baseline: Fill = "mean") -> None:
        self.steps = steps
        self.baseline = baseline

    @property
    def settings(self) -> str:
        """The steps and the baseline."""
        return f"{counted(self.steps, 'step')} from {fill_words(self.baseline)}"

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values ``[N, H, W]`` and the completeness error ``[N]``, both in logits."""
        import captum.attr  # here: it takes half a second

        values, error = captum.attr.IntegratedGradients(model).attribute(
            images.detach().requires_grad_(),
            baselines=filled(images, self.baseline),
            target=targets,
            n_steps=self.steps,
            internal_batch_size=max(_PASS, len(images)),
            return_convergence_delta=True,
        )
        return values.sum(1), error
