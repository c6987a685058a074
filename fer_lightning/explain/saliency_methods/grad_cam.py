"""The maps of a late layer, weighted by how much the class's logit gains from each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fer_lightning.config.values import checked
from fer_lightning.errors import ConfigError
from fer_lightning.explain.layers import calls_of, convolutions, find_layer
from fer_lightning.explain.saliency_methods.attribution import Display

LayerName = Annotated[str, Field(min_length=1, description="the dotted name of a layer")]


class GradCAM:
    """Grad-CAM: Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391; brought to the face's size bilinearly.

    The map is the positive part, as in the paper.

    Parameters
    ----------
    layer
        Dotted name of the layer whose maps are taken; ``None`` is the last convolution with the norm and the
        activation that follow it.

    Raises
    ------
    ConfigError
        On use, where the network has no such layer, or no convolution.
    """

    name = "grad_cam"
    display: Display = "positive"

    @checked("saliency.")
    def __init__(self, layer: LayerName | None = None) -> None:
        self.layer = layer

    @property
    def settings(self) -> str:
        """The layer."""
        return f"layer {self.layer}" if self.layer else "last convolution"

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, None]:
        """Return the weighted sum of the layer's maps, ``[N, H, W]``."""
        from captum.attr import LayerAttribution, LayerGradCam  # here: it takes half a second

        layer = last_maps(model, images) if self.layer is None else find_layer(model, self.layer)
        # The faces ask for a gradient: with frozen parameters the layer's output would have none.
        values = LayerGradCam(model, layer).attribute(images.detach().requires_grad_(), target=targets)
        if values.ndim != 4:
            raise ConfigError(f"saliency.layer={self.layer}: puts out no maps; expected a convolution")
        height, width = images.shape[2:]
        return LayerAttribution.interpolate(values, (height, width), "bilinear").squeeze(1).detach(), None


def last_maps(model: nn.Module, images: Tensor) -> nn.Module:
    """Return the layer that gives the last convolution's maps as the network goes on with them.

    That is the convolution itself, or the last of the norms and activations that directly follow it in a pass.

    Raises
    ------
    ConfigError
        The network has no convolution.
    """
    if not convolutions(model, images[:1]):
        raise ConfigError(
            "saliency=grad_cam: the network has no convolution, so no maps; expected another method, "
            "such as gradient or occlusion"
        )
    calls = [call for call in calls_of(model, images[:1]) if not list(call.module.children())]
    last = max(number for number, call in enumerate(calls) if isinstance(call.module, nn.Conv2d))
    found = calls[last].module
    for call in calls[last + 1 :]:
        if call.shape != calls[last].shape or not _is_norm_or_activation(call.module):
            break
        found = call.module if not isinstance(call.module, nn.Identity) else found
    return found


def _is_norm_or_activation(module: nn.Module) -> bool:
    kind = type(module).__module__.rpartition(".")[2]  # of torch.nn.modules, or of timm.layers
    return kind.startswith("activation") or isinstance(
        module, (_BatchNorm, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm, nn.Identity)
    )
