"""Dense network of a course report, and dense networks of another model's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Unpack

import torch
from pydantic import Field
from torch import nn

from fer_lightning.config.values import Count, checked
from fer_lightning.models.base import FaceNet
from fer_lightning.models.blocks import sequential
from fer_lightning.models.counting import count_parameters
from fer_lightning.models.match import matched_widths
from fer_lightning.models.options import Design, Options
from fer_lightning.models.reference import packaged_model

Widths = Annotated[Sequence[Count], Field(min_length=1)]
WIDTHS: Final = (1024, 1024, 512, 256, 128)
RATES: Final = (0.3, 0.3, 0.4, 0.5, 0.5)


class DNN(FaceNet):
    """Dense network, 4,099,847 parameters as Keras counts them.

    Dense layers of `widths` units, each with LeakyReLU(0.1) and dropout; no norm.

    Parameters
    ----------
    widths
        Units of the hidden layers. Their own dropout rates are 0.3 0.3 0.4 0.5 0.5; with more layers the last
        rate is repeated. Dropout places: dense1, dense2 ….
    match
        The name of another model, or a total: the widths are scaled by one factor so that this network has as
        many parameters (as Keras counts them) as that model at this image size and class count, within 1 %.
    options
        See `Options`.

    Raises
    ------
    ConfigError
        As `FaceNet`; also for widths that are no list of whole numbers, and for a match that cannot be met.
    """

    @checked("model.")
    def __init__(
        self, *, widths: Widths = WIDTHS, match: str | Count | None = None, **options: Unpack[Options]
    ) -> None:
        widths = list(widths)
        rates = {f"dense{i + 1}": RATES[min(i, len(RATES) - 1)] for i in range(len(widths))}
        super().__init__(Design(activation="leaky_relu", slope=0.1, norm="none", dropout=rates), **options)
        self.widths = widths if match is None else self._matched(widths, match, options)
        layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
        inputs = self.in_channels * self.image_size**2
        for place, units in zip(rates, self.widths, strict=True):
            layers[place] = self.blocks.dense(inputs, units, place)
            inputs = units
        self.assemble(sequential(layers), sequential({"output": nn.Linear(inputs, self.num_classes)}))

    def _matched(self, widths: Sequence[int], match: str | int, options: Options) -> list[int]:
        if isinstance(match, str):
            model = packaged_model(
                match, image_size=self.image_size, num_classes=self.num_classes, in_channels=self.in_channels
            )
            target = count_parameters(model).total
        else:
            target = match

        def count(candidate: Sequence[int]) -> int:
            with torch.device("meta"):
                return count_parameters(DNN(widths=candidate, **options)).total

        return matched_widths(widths, count, target)
