"""What every model has in common: its options, checked at once, and the way from image to logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Unpack

from torch import Tensor, nn

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.values import checked
from fer_lightning.errors import ConfigError
from fer_lightning.models.activation import SLOPED
from fer_lightning.models.blocks import Blocks, sequential
from fer_lightning.models.dropout import dropout_rates
from fer_lightning.models.init import initialize
from fer_lightning.models.options import Design, Options
from fer_lightning.models.size import check_image_size

IMAGE_SIZE: Final = 48
NUM_CLASSES: Final = 7


class FaceNet(nn.Module):
    """A classifier of faces: `features`, then `classifier`.

    A model calls this constructor with its own `Design` and the user's options (`Options` explains them),
    builds its layers from `self.blocks`, and ends with `self.assemble(features, classifier)`.

    Raises
    ------
    ConfigError
        For an unknown name, a value out of range, or options that exclude each other.
    """

    any_size = False
    """Whether images of another size than `image_size` may be passed."""

    features: nn.Sequential
    classifier: nn.Sequential

    @checked("model.")
    def __init__(self, design: Design, **options: Unpack[Options]) -> None:
        super().__init__()
        chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        activation, slope = chosen.get("activation", design.activation), chosen.get("slope")
        alpha_dropout = chosen.get("alpha_dropout", False)
        self._init = chosen.get("init", "default")
        self.image_size: int = chosen.get("image_size", IMAGE_SIZE)
        self.in_channels: int = chosen.get("in_channels", 1)
        self.num_classes: int = chosen.get("num_classes", NUM_CLASSES)
        if alpha_dropout and activation != "selu":
            raise ConfigError(
                f"model.alpha_dropout=true: needs model.activation=selu, not {shown_value(activation)}"
            )
        if slope is not None and activation not in SLOPED:
            raise ConfigError(
                f"model.slope={slope}: needs model.activation={' or '.join(SLOPED)}, not {shown_value(activation)}"
            )
        self.blocks = Blocks(
            activation,
            design.slope if slope is None else slope,
            chosen.get("norm", design.norm),
            chosen.get("norm_position", design.norm_position),
            dropout_rates(design.dropout, chosen.get("dropout"), chosen.get("dropout_scale", 1.0)),
            alpha_dropout,
        )

    def assemble(self, features: nn.Sequential, classifier: nn.Sequential) -> None:
        """Keep the two halves of the network and draw the initial weights that the options ask for."""
        self.features, self.classifier = features, classifier
        leak = self.blocks.slope if self.blocks.activation in SLOPED else 0.0
        initialize(self, self._init, leak)

    def flat_size(self, features: nn.Sequential, channels: int) -> int:
        """Return how many values `features` hands on for one image.

        Raises
        ------
        ConfigError
            If the images are too small for the layers.
        """
        return channels * check_image_size(features, self.image_size) ** 2

    def dense_head(self, inputs: int, widths: Sequence[int]) -> nn.Sequential:
        """Return flatten, a dense block (`dense1` …) for each of `widths`, and the linear `output`."""
        layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
        for number, units in enumerate(widths, start=1):
            layers[f"dense{number}"] = self.blocks.dense(inputs, units, f"dense{number}")
            inputs = units
        return sequential(layers | {"output": nn.Linear(inputs, self.num_classes)})

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, num_classes] for images [B, in_channels, image_size, image_size]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
