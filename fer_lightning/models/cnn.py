"""Convolutional network of five blocks and two dense layers, of a course report on FER2013."""

from __future__ import annotations

from typing import Final, Unpack

from torch import nn

from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.options import Design, Options

FILTERS: Final = (64, 64, 128, 256, 512)
WIDTHS: Final = (512, 256)
DESIGN: Final = Design(
    activation="leaky_relu",
    slope=0.1,
    norm="batch",
    dropout={"block1": 0.2, "block2": 0.2, "block3": 0.3, "block4": 0.4, "block5": 0.4}
    | {"dense1": 0.5, "dense2": 0.5},
)


class CNN(FaceNet):
    """CNN of five blocks and two dense layers, 4,087,879 parameters as Keras counts them.

    Five blocks of convolution (5×5 in the first, 3×3 after it, "same" padding), norm, activation, 2×2
    max-pool (not in the first) and dropout; then dense layers of 512 and 256, each with norm, activation
    and dropout.

    Options: see `Options`. Seven dropout places: block1 … block5, dense1, dense2.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(DESIGN, **options)
        features: dict[str, nn.Module] = {}
        inputs = self.in_channels
        for number, filters in enumerate(FILTERS, start=1):
            place = f"block{number}"
            layers = self.blocks.convolution(inputs, filters, kernel=5 if number == 1 else 3)
            if number > 1:
                layers["pool"] = nn.MaxPool2d(2)
            features[place] = sequential(layers | self.blocks.dropout_layer(place))
            inputs = filters
        body = sequential(features)
        self.assemble(body, self.dense_head(self.flat_size(body, inputs), WIDTHS))
