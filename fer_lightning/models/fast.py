"""A residual network that makes the most of a processor's minutes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Final, Unpack

from pydantic import Field
from torch import Tensor, nn

from fer_lightning.config.values import Count, CountOrZero, checked
from fer_lightning.errors import ConfigError
from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.options import Design, Options

WIDTHS: Final = (64, 128, 256)
DESIGN: Final = Design(activation="relu", slope=0.1, norm="batch", dropout={"head": 0.2})


class Residual(nn.Sequential):
    """Layers whose output is added to their input (He et al. 2016); they keep the shape [B, C, H, W]."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return the input plus what the layers make of it, both [B, C, H, W]."""
        added: Tensor = maps + super().forward(maps)
        return added


class Fast(FaceNet):
    """The project's own net for the record: accuracy for each minute of a processor, from any image size.

    A 5×5 convolution of stride 2, then a stage for each of `widths`: a 3×3 convolution of stride 2 (not in the
    first stage) and `depth` residual blocks of `convolutions` 3×3 convolutions each; every convolution with
    norm and activation. Last the average over all positions, dropout, and one dense layer. Only the first layer
    sees the whole image: one convolution of 64 filters on maps of its size takes as many multiply-adds as
    all of this net.

    The average makes it take images of every size; it may be trained on smaller ones than it is used on.

    Parameters
    ----------
    widths
        Filters of each stage.
    depth
        Residual blocks in each stage: one number, or one for each stage.
    convolutions
        Convolutions in a residual block.
    options
        See `Options`. One dropout place: head.
    """

    any_size = True

    @checked("model.")
    def __init__(
        self,
        *,
        widths: Annotated[Sequence[Count], Field(min_length=1)] = WIDTHS,
        depth: CountOrZero | Sequence[CountOrZero] = 1,
        convolutions: Count = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(DESIGN, **options)
        depths = [depth] * len(widths) if isinstance(depth, int) else list(depth)
        if len(depths) != len(widths):
            raise ConfigError(
                f"model.depth={depths}: expected one number, or {len(widths)}, one for each stage"
            )
        features: dict[str, nn.Module] = {
            "stem": self._convolution(self.in_channels, widths[0], kernel=5, stride=2)
        }
        inputs = widths[0]
        for number, (filters, blocks) in enumerate(zip(widths, depths, strict=True), start=1):
            stage: dict[str, nn.Module] = {}
            if number > 1:
                stage["down"] = self._convolution(inputs, filters, kernel=3, stride=2)
            for block in range(1, blocks + 1):
                layers: dict[str, nn.Module] = {}
                for one in range(1, convolutions + 1):
                    layers |= self._layers(filters, filters, 3, number="" if convolutions == 1 else one)
                stage[f"res{block}"] = Residual(OrderedDict(layers))
            features[f"stage{number}"] = sequential(stage)
            inputs = filters
        average: dict[str, nn.Module] = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        head = sequential(average | self.blocks.dropout_layer("head"))
        output = nn.Linear(inputs, self.num_classes)
        self.assemble(sequential(features), sequential({"head": head, "output": output}))

    def _convolution(self, inputs: int, filters: int, kernel: int, stride: int = 1) -> nn.Sequential:
        return sequential(self._layers(inputs, filters, kernel, stride))

    def _layers(
        self, inputs: int, filters: int, kernel: int, stride: int = 1, number: int | str = ""
    ) -> dict[str, nn.Module]:
        bias = self.blocks.norm == "none" or self.blocks.norm_position == "after"
        return self.blocks.convolution(inputs, filters, kernel, stride=stride, bias=bias, number=number)
