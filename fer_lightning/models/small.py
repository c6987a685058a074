"""A small convolutional network for studies of many runs on a CPU."""

from __future__ import annotations

from typing import Final, Unpack

from torch import nn

from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.options import Design, Options

FILTERS: Final = (16, 32, 64)
WIDTHS: Final = (64,)
DESIGN: Final = Design(
    activation="relu",
    slope=0.1,
    norm="batch",
    dropout={"block1": 0.1, "block2": 0.1, "block3": 0.2, "dense1": 0.3},
)


class Small(FaceNet):
    """The project's own small CNN: 61,639 parameters as Keras counts them, 1.6 million multiply-adds.

    Three blocks of convolution, norm, activation, 2×2 max-pool and dropout; a dense layer of 64. The first
    convolution is 5×5 with stride 2, because full-resolution maps would take most of the network's time: a
    3×3 one with stride 1 trained at a sixth of the speed, for 53.2 % of FER2013's validation faces against
    51.2 % after four epochs (one seed).

    Options: see `Options`. Four dropout places: block1, block2, block3, dense1.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(DESIGN, **options)
        features: dict[str, nn.Module] = {}
        inputs = self.in_channels
        for number, filters in enumerate(FILTERS, start=1):
            place = f"block{number}"
            kernel, stride = (5, 2) if number == 1 else (3, 1)
            layers = self.blocks.convolution(inputs, filters, kernel, stride=stride)
            layers["pool"] = nn.MaxPool2d(2)
            features[place] = sequential(layers | self.blocks.dropout_layer(place))
            inputs = filters
        body = sequential(features)
        self.assemble(body, self.dense_head(self.flat_size(body, inputs), WIDTHS))
