"""Initial weights by name."""

from __future__ import annotations

from torch import nn

from fer_lightning.config.values import checked
from fer_lightning.models.options import Init


@checked("model.")
def initialize(model: nn.Module, init: Init, leak: float = 0.0) -> None:
    """Draw the weights of every convolution and dense layer anew, in place; biases become 0.

    `default` leaves what torch drew. `he` is normal with variance 2 / ((1 + leak²) · fan-in) (He et al.
    2015), `lecun` normal with variance 1 / fan-in (what SELU's derivation assumes, Klambauer et al. 2017),
    `glorot` uniform within ±sqrt(6 / (fan-in + fan-out)) (Glorot & Bengio 2010; Keras's default). Random
    numbers come from torch's global generator.
    """
    if init == "default":
        return
    for module in model.modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        if init == "he":
            nn.init.kaiming_normal_(module.weight, a=leak, nonlinearity="leaky_relu")
        elif init == "lecun":
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        else:
            nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
