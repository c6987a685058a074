"""A model layer by layer: output sizes, parameters, multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torchinfo
from torch import nn
from torchinfo.layer_info import LayerInfo
from torchinfo.torchinfo import clear_cached_forward_pass

from fer_lightning.models.counting import ParameterCount, blank_image, count_parameters
from fer_lightning.models.modes import evaluation


@dataclass(frozen=True)
class Layer:
    """One layer: `output` is its output's size without the batch; `parameters` as Keras counts them."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """What `model_summary` finds."""

    model: str
    image_size: int
    channels: int
    layers: tuple[Layer, ...]
    parameters: ParameterCount

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image's forward pass, in convolutions and dense layers."""
        return sum(layer.multiply_adds for layer in self.layers)


def model_summary(model: nn.Module, image_size: int, channels: int = 1) -> Summary:
    """Describe every layer of `model` for one image of `image_size` pixels height and width, grey by default.

    The model may be on the meta device, where nothing is computed. It is left as it was, and no random number
    is drawn.
    """
    with evaluation(model):
        seen = torchinfo.summary(
            model, input_data=blank_image(model, image_size, channels), verbose=0, mode="eval"
        )
    clear_cached_forward_pass()  # torchinfo would keep the model, and its memory, for the rest of the process
    layers = tuple(_layer(info) for info in seen.summary_list if info.is_leaf_layer)
    return Summary(type(model).__name__, image_size, channels, layers, count_parameters(model))


def _layer(info: LayerInfo) -> Layer:
    parts, node = [info.var_name], info.parent_info
    while node is not None and node.parent_info is not None:
        parts.append(node.var_name)
        node = node.parent_info
    output = tuple(info.output_size[1:])
    return Layer(
        name=".".join(reversed(parts)),
        kind=layer_kind(info.module),
        output=output,
        parameters=count_parameters(info.module).total,
        multiply_adds=_multiply_adds(info.module, output),
    )


def layer_kind(layer: nn.Module) -> str:
    """Return the layer's class with the settings that decide its output, such as "Conv2d 5×5 padding 2"."""
    words = [type(layer).__name__]
    if isinstance(layer, nn.ZeroPad2d):
        words.append(str(layer.padding[0]))
    elif isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        kernel, stride, padding = (_square(v) for v in (layer.kernel_size, layer.stride, layer.padding))
        words.append(kernel)
        words += [f"stride {stride.split('×')[0]}"] if stride != "1×1" else []
        words += [f"padding {padding.split('×')[0]}"] if padding != "0×0" else []
    elif isinstance(layer, (nn.Dropout, nn.AlphaDropout)):
        words.append(f"{layer.p:g}")
    elif isinstance(layer, nn.LeakyReLU):
        words.append(f"{layer.negative_slope:g}")
    elif isinstance(layer, nn.GroupNorm):
        words.append(f"{layer.num_groups} group" + "s" * (layer.num_groups > 1))
    return " ".join(words)


def _square(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, tuple) else f"{value}×{value}"


def _multiply_adds(layer: nn.Module, output: tuple[int, ...]) -> int:
    """Every output value of a convolution or dense layer is one scalar product with one filter."""
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        return prod(output) * layer.weight[0].numel()
    return 0
