"""VGG16 and VGG19 for one grey channel, with batch norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Unpack

from torch import nn

from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.options import Design, Options

FILTERS: Final = (64, 128, 256, 512, 512)


class _VGG(FaceNet):
    """Five blocks of 3×3 convolutions, each with norm and activation; a 2×2 max-pool ends each block.

    The course report says "batch norm after each convolution"; we read it as convolution → norm → activation, the usual
    order; `norm_position=after` is the other reading. The totals are the same. `dense` gives the units of
    each hidden dense layer and whether it has a norm.
    """

    def __init__(
        self, depths: Sequence[int], dense: Mapping[str, tuple[int, bool]], **options: Unpack[Options]
    ) -> None:
        places = [f"block{number}" for number in range(1, len(depths) + 1)] + list(dense)
        design = Design(activation="relu", slope=0.1, norm="batch", dropout=dict.fromkeys(places, 0.0))
        super().__init__(design, **options)
        body = self._body(depths)
        inputs = self.flat_size(body, FILTERS[-1])
        head: dict[str, nn.Module] = {"flatten": nn.Flatten()}
        head |= self.blocks.norm_layer(inputs, maps=False)
        for place, (units, norm) in dense.items():
            head[place] = self.blocks.dense(inputs, units, place, norm=norm)
            inputs = units
        self.assemble(body, sequential(head | {"output": nn.Linear(inputs, self.num_classes)}))

    def _body(self, depths: Sequence[int]) -> nn.Sequential:
        features: dict[str, nn.Module] = {}
        inputs = self.in_channels
        for block, (depth, filters) in enumerate(zip(depths, FILTERS, strict=True), start=1):
            layers: dict[str, nn.Module] = {}
            for number in range(1, depth + 1):
                layers |= self.blocks.convolution(inputs, filters, kernel=3, number=number)
                inputs = filters
            layers["pool"] = nn.MaxPool2d(2)
            features[f"block{block}"] = sequential(layers | self.blocks.dropout_layer(f"block{block}"))
        return sequential(features)


class VGG16(_VGG):
    """VGG16: 13 convolutions, 20,941,735 parameters as Keras counts them.

    Flatten → norm → dense 4096 → dense 1000 → norm → logits: the first dense layer has no norm, as the
    report's total tells. Images of 32 pixels at least.

    Options: see `Options`. Seven dropout places, all with own rate 0: block1 … block5, dense1, dense2.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__((2, 2, 3, 3, 3), {"dense1": (4096, False), "dense2": (1000, True)}, **options)


class VGG19(_VGG):
    """VGG19: 16 convolutions, 43,070,631 parameters as Keras counts them.

    Flatten → norm → dense 4096 → dense 4096 → dense 1000, each with a norm → logits. Images of 32 pixels at
    least.

    Options: see `Options`. Eight dropout places, all with own rate 0: block1 … block5, dense1 … dense3.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        dense = {"dense1": (4096, True), "dense2": (4096, True), "dense3": (1000, True)}
        super().__init__((2, 2, 4, 4, 4), dense, **options)
