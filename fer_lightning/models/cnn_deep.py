"""Two convolutional networks of a course report: three blocks of three convolutions, or of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Unpack

from torch import nn

from fer_lightning.config.values import checked
from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.options import Activation, Design, Options

DESIGN: Final = Design(
    activation="leaky_relu",
    slope=0.05,
    norm="batch",
    norm_position="after",
    dropout={"block1": 0.1, "block2": 0.1, "block3": 0.0, "dense1": 0.0},
)


class _R3Net(FaceNet):
    """Three blocks of `depth` convolutions each (5×5 in the first block, 3×3 after it), then one dense layer.

    Every convolution is followed by activation and norm, every block by a 2×2 max-pool and dropout.
    """

    def __init__(
        self,
        filters: Sequence[int],
        depth: int,
        dense_activation: Activation | None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(DESIGN, **options)
        convolutions = self.blocks
        dense = convolutions.activation if dense_activation is None else dense_activation
        features: dict[str, nn.Module] = {}
        inputs = self.in_channels
        for block, channels in enumerate(filters, start=1):
            layers: dict[str, nn.Module] = {}
            for number in range(1, depth + 1):
                kernel = 5 if block == 1 else 3
                layers |= convolutions.convolution(
                    inputs, channels, kernel, number=number if depth > 1 else ""
                )
                inputs = channels
            layers["pool"] = nn.MaxPool2d(2)
            features[f"block{block}"] = sequential(layers | convolutions.dropout_layer(f"block{block}"))
        body = sequential(features)
        # Alpha dropout belongs to SELU's outputs: the dense layer has them only if it is SELU's too.
        alpha = convolutions.alpha_dropout and dense == "selu"
        self.blocks = replace(convolutions, activation=dense, alpha_dropout=alpha)
        head = self.dense_head(self.flat_size(body, inputs), (512,))
        self.blocks = convolutions
        self.assemble(body, head)


class CNNDeep(_R3Net):
    """CNN of nine convolutions, 15,145,607 parameters as Keras counts them.

    Three blocks of three convolutions (32 filters of 5×5, 128 of 3×3, 512 of 3×3), each convolution →
    LeakyReLU(0.05) → batch norm; 2×2 max-pool and dropout after each block; dense 512 → ReLU → batch norm.

    Parameters
    ----------
    dense_activation
        Activation of the dense layer, which the report makes another than the convolutions'; None: the same.
    options
        See `Options`. Four dropout places: block1, block2, block3, dense1 (the last two with own rate 0).
    """

    @checked("model.")
    def __init__(self, *, dense_activation: Activation | None = "relu", **options: Unpack[Options]) -> None:
        super().__init__((32, 128, 512), 3, dense_activation, **options)


class CNNShallow(_R3Net):
    """CNN of three convolutions, which its explanations use, 10,112,007 parameters as Keras counts them.

    The report gives only the filters, 64, 128 and 512. The rest is our choice, as in `CNNDeep`: kernels,
    order of layers, pools, dropout and the dense layer, with one convolution in a block.

    Parameters
    ----------
    dense_activation, options
        As `CNNDeep`.
    """

    @checked("model.")
    def __init__(self, *, dense_activation: Activation | None = "relu", **options: Unpack[Options]) -> None:
        super().__init__((64, 128, 512), 1, dense_activation, **options)
