"""What every model has in common: its options, checked at once, and the way from image to logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn

from fer_lightning.errors import ConfigError
from fer_lightning.models.activation import ACTIVATIONS, SLOPED, make_activation
from fer_lightning.models.blocks import Blocks, sequential
from fer_lightning.models.dropout import dropout_rates
from fer_lightning.models.init import INITS, initialize
from fer_lightning.models.norm import NORM_POSITIONS, NORMS
from fer_lightning.models.options import Design, check_name, check_whole
from fer_lightning.models.size import check_image_size

IMAGE_SIZE: Final = 48
NUM_CLASSES: Final = 7


class FaceNet(nn.Module):
    """A classifier of grey faces: `features`, then `classifier`.

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

    def __init__(
        self,
        design: Design,
        *,
        activation: str | None = None,
        slope: float | None = None,
        norm: str | None = None,
        norm_position: str | None = None,
        dropout: float | Sequence[float] | None = None,
        dropout_scale: float = 1.0,
        alpha_dropout: bool = False,
        init: str | None = None,
        image_size: int | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        activation = design.activation if activation is None else activation
        norm = design.norm if norm is None else norm
        position = design.norm_position if norm_position is None else norm_position
        self._init = "default" if init is None else init
        check_name("model.activation", activation, ACTIVATIONS)
        check_name("model.norm", norm, NORMS)
        check_name("model.norm_position", position, NORM_POSITIONS)
        check_name("model.init", self._init, INITS)
        self.image_size = check_whole("model.image_size", IMAGE_SIZE if image_size is None else image_size, 1)
        self.num_classes = check_whole(
            "model.num_classes", NUM_CLASSES if num_classes is None else num_classes, 2
        )
        if not isinstance(alpha_dropout, bool):
            raise ConfigError(f"model.alpha_dropout={alpha_dropout}: expected true or false")
        if alpha_dropout and activation != "selu":
            raise ConfigError(f"model.alpha_dropout=true: needs model.activation=selu, not {activation}")
        if slope is not None and activation not in SLOPED:
            raise ConfigError(
                f"model.slope={slope}: needs model.activation={' or '.join(SLOPED)}, not {activation}"
            )
        slope = design.slope if slope is None else slope
        make_activation(activation, slope)  # checks the slope before a layer is built
        rates = dropout_rates(design.dropout, dropout, dropout_scale)
        self.blocks = Blocks(activation, slope, norm, position, rates, alpha_dropout)

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
        """Return logits [B, num_classes] for images [B, 1, image_size, image_size]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
