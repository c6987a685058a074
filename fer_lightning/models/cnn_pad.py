"""Convolutional network with layers of zero padding, of a course report on FER2013."""

from __future__ import annotations

from typing import Final, Unpack

from torch import nn

from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.options import Design, Options

WIDTHS: Final = (1024, 1024)
DESIGN: Final = Design(
    activation="relu",
    slope=0.1,
    norm="none",
    dropout={"block1": 0.0, "block2": 0.0, "block3": 0.0, "dense1": 0.5, "dense2": 0.5},
)


class CNNPad(FaceNet):
    """CNN with layers of zero padding, 4,631,559 parameters.

    The zeros around the maps are layers (`pad…`), as in the report: before a pool they are pooled as values,
    which a pool's own padding would not do to a maximum of negative values. Two dense layers of 1024.

    Options: see `Options`. Five dropout places: block1, block2, block3 (own rate 0), dense1, dense2. A norm,
    which the report does not have, goes to every convolution and hidden dense layer.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(DESIGN, **options)
        block1 = self.blocks.convolution(self.in_channels, 64, kernel=5, padding=0)
        block1 |= {"pad": nn.ZeroPad2d(2), "pool": nn.MaxPool2d(5, stride=2)}
        block2 = self._padded_pair(64, 64) | {"pool": nn.AvgPool2d(3, stride=2)}
        block3 = self._padded_pair(64, 128)
        block3 |= {"pad": nn.ZeroPad2d(1), "pool": nn.AvgPool2d(3, stride=2)}
        body = sequential(
            {
                place: sequential(layers | self.blocks.dropout_layer(place))
                for place, layers in (("block1", block1), ("block2", block2), ("block3", block3))
            }
        )
        self.assemble(body, self.dense_head(self.flat_size(body, 128), WIDTHS))

    def _padded_pair(self, inputs: int, filters: int) -> dict[str, nn.Module]:
        layers: dict[str, nn.Module] = {}
        for number in (1, 2):
            layers[f"pad{number}"] = nn.ZeroPad2d(1)
            layers |= self.blocks.convolution(inputs, filters, kernel=3, padding=0, number=number)
            inputs = filters
        return layers
