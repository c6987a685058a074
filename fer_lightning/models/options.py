"""The options that every model takes, and the choices that a report made for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from fer_lightning.config.values import Count, NotNegative, Share, ShareBelowOne

Activation = Literal["relu", "selu", "leaky_relu", "elu", "gelu", "silu", "prelu"]
Norm = Literal["batch", "none", "group", "layer"]
NormPosition = Literal["before", "after"]
Init = Literal["default", "he", "lecun", "glorot"]


class Options(TypedDict, total=False):
    """Keyword options of every model; None or left out means the model's own choice.

    Attributes
    ----------
    activation : see `activation.py`.
    slope : the leak of `leaky_relu`, and the value that `prelu` starts from.
    norm : see `norm.py`.
    norm_position : "before" or "after" the activation.
    dropout : one rate for every place, or a list with a rate for each place; see `dropout.py`.
    dropout_scale : factor on the model's own rates.
    alpha_dropout : alpha dropout in place of dropout, for `selu` only.
    init : see `init.py`.
    image_size : height and width of the input in pixels; 48 if None.
    num_classes : number of logits; 7 if None.
    in_channels : channels of the input, 1 for grey and 3 for colour; 1 if None.
    """

    activation: Activation | None
    slope: Share | None
    norm: Norm | None
    norm_position: NormPosition | None
    dropout: ShareBelowOne | Sequence[ShareBelowOne] | None
    dropout_scale: NotNegative
    alpha_dropout: bool
    init: Init | None
    image_size: Count | None
    num_classes: Annotated[int, Field(ge=2)] | None
    in_channels: Count | None


@dataclass(frozen=True)
class Design:
    """What a model does when its options say nothing.

    `dropout` names every dropout place in the order of the layers and gives its own rate; 0 where the report
    has no dropout, so that a rate can still be asked for there.
    """

    activation: Activation
    slope: float
    norm: Norm
    dropout: Mapping[str, float]
    norm_position: NormPosition = "before"
