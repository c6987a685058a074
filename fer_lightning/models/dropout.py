"""Dropout rates: a model names the places, the options say which rate each one gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from fer_lightning.errors import ConfigError


def dropout_rates(
    own: Mapping[str, float], dropout: float | Sequence[float] | None = None, scale: float = 1.0
) -> dict[str, float]:
    """Return the rate of every dropout place.

    Parameters
    ----------
    own
        The places in the order of the layers, each with the model's own rate.
    dropout
        None: the own rates; a number: that rate at every place; a list: a rate for each place.
    scale
        Factor on the own rates; must be 1 when `dropout` is given.

    Raises
    ------
    ConfigError
        If a list has the wrong length, or `scale` has nothing to scale or brings a rate to 1.
    """
    if dropout is None:
        rates = {place: rate * scale for place, rate in own.items()}
        largest = max(rates.values(), default=0.0)
        if largest >= 1:
            raise ConfigError(f"model.dropout_scale={scale}: brings a rate to {largest:g}, expected under 1")
        return rates
    if scale != 1:
        raise ConfigError(
            f"model.dropout_scale={scale}: scales the model's own rates, so it needs model.dropout=null"
        )
    if isinstance(dropout, Sequence):
        if len(dropout) != len(own):
            raise ConfigError(
                f"model.dropout={list(dropout)}: expected {len(own)} rates, one for each of {', '.join(own)}"
            )
        return {place: float(rate) for place, rate in zip(own, dropout, strict=True)}
    return dict.fromkeys(own, float(dropout))


def make_dropout(rate: float, *, alpha: bool = False) -> nn.Module | None:
    """Build the dropout layer, or None for a rate of 0.

    Single values are dropped, in feature maps too, as Keras's `Dropout` does. Alpha dropout keeps the mean
    and variance of SELU's outputs (Klambauer et al., "Self-Normalizing Neural Networks", 2017).
    """
    if rate == 0:
        return None
    return nn.AlphaDropout(rate) if alpha else nn.Dropout(rate)
