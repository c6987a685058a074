"""The class's logit differentiated by each pixel, at the face or averaged over noisy copies of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fer_lightning.config.values import Count, NotNegative, checked
from fer_lightning.explain.saliency_methods.attribution import Display
from fer_lightning.messages import counted


class Gradient:
    """Gradient of the class's logit: Simonyan et al. 2014, https://arxiv.org/abs/1312.6034.

    Values are logits per level; the map is their magnitude. A colour pixel has the value of the channel whose
    magnitude is the largest, as in the paper. One forward and one backward pass.
    """

    name = "gradient"
    display: Display = "magnitude"
    settings = ""

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, None]:
        """Return the gradient ``[N, H, W]`` in logits per level."""
        images = images.detach().requires_grad_()
        # By torch alone: every run draws this map, and captum takes half a second to import.
        logits = model(images).gather(1, targets[:, None])
        # The signed gradient: averages (SmoothGrad) and sums need the sign, a picture takes the magnitude.
        return strongest_channel(torch.autograd.grad(logits.sum(), images)[0]), None


class SmoothGrad:
    """Mean gradient over noisy copies of the face: Smilkov et al. 2017, https://arxiv.org/abs/1706.03825.

    Noise and mean are taken by channel; of a colour pixel's channels the strongest counts, as for `Gradient`.

    Parameters
    ----------
    samples
        Noisy copies of each face.
    sigma
        Standard deviation of the noise in levels; 25 is a tenth of the range, the least that the paper
        recommends.
    """

    name = "smoothgrad"
    display: Display = "magnitude"

    @checked("saliency.")
    def __init__(self, samples: Count = 25, sigma: NotNegative = 25.0) -> None:
        self.samples = samples
        self.sigma = float(sigma)

    @property
    def settings(self) -> str:
        """The number of copies and the noise."""
        return f"{counted(self.samples, 'copy', 'copies')}, noise of {self.sigma:g} grey levels"

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, None]:
        """Return the mean gradient ``[N, H, W]`` in logits per level."""
        from captum.attr import NoiseTunnel, Saliency  # here: it takes half a second

        tunnel = NoiseTunnel(Saliency(model))
        values = tunnel.attribute(
            images.detach().requires_grad_(),
            nt_type="smoothgrad",
            nt_samples=self.samples,
            nt_samples_batch_size=1,  # one pass over all faces for each copy: no more memory than a gradient
            stdevs=self.sigma,
            target=targets,
            abs=False,  # magnitudes before the average would not let the noise cancel
        )
        return strongest_channel(values), None


def strongest_channel(values: Tensor) -> Tensor:
    """Return of each pixel of ``[N, C, H, W]`` the signed value of the channel with the largest magnitude."""
    return values.gather(1, values.abs().argmax(1, keepdim=True)).squeeze(1)
