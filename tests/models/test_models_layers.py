"""The parts that models are made of: values of activations, norms, dropout and initial weights."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.models import DNN, Small
from fer_lightning.models.activation import make_activation
from fer_lightning.models.dropout import dropout_rates, make_dropout
from fer_lightning.models.init import initialize
from fer_lightning.models.norm import group_count, make_norm
from fer_lightning.models.options import Activation


def phi(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


AT_MINUS_ONE = {
    "relu": 0.0,
    "selu": 1.0507009873554805 * 1.6732632423543772 * (math.exp(-1) - 1),
    "leaky_relu": -0.2,
    "elu": math.exp(-1) - 1,
    "gelu": -phi(-1),
    "silu": -1 / (1 + math.exp(1)),
    "prelu": -0.2,
}


@pytest.mark.parametrize("name", get_args(Activation))
def test_activation_values(name):
    value = make_activation(name, 0.2)(torch.tensor([-1.0, 0.0])).tolist()
    assert value == pytest.approx([AT_MINUS_ONE[name], 0.0], abs=1e-6)


def test_prelu_learns_one_slope_a_layer():
    assert sum(p.numel() for p in make_activation("prelu").parameters()) == 1


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_group_count_is_the_largest_allowed_divisor(channels):
    groups = group_count(channels)
    assert channels % groups == 0
    allowed = [d for d in range(1, 33) if channels % d == 0 and (d == 1 or channels // d >= 16)]
    assert groups == max(allowed)


@pytest.mark.parametrize(
    ("channels", "groups"), [(16, 1), (32, 2), (64, 4), (512, 32), (1000, 25), (1024, 32)]
)
def test_group_count_of_usual_widths(channels, groups):
    assert group_count(channels) == groups


def normalized(x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def test_norms_of_maps():
    x = torch.randn(3, 32, 4, 4, dtype=torch.float64) * 2 + 1
    expected = {
        "batch": normalized(x, (0, 2, 3)),
        "layer": normalized(x, (1, 2, 3)),
        "group": normalized(x.view(3, 2, 16, 4, 4), (2, 3, 4)).view_as(x),
    }
    for name, value in expected.items():
        norm = make_norm(name, 32, maps=True)
        assert norm is not None
        torch.testing.assert_close(norm.double().train()(x), value)


def test_norms_of_dense_features():
    x = torch.randn(5, 32, dtype=torch.float64) * 2 + 1
    expected = {
        "batch": normalized(x, (0,)),
        "layer": normalized(x, (1,)),
        "group": normalized(x.view(5, 2, 16), (2,)).view_as(x),
    }
    for name, value in expected.items():
        norm = make_norm(name, 32, maps=False)
        assert norm is not None
        torch.testing.assert_close(norm.double().train()(x), value)


def test_norm_none_is_no_layer():
    assert make_norm("none", 8, maps=True) is None
    with pytest.raises(ConfigError, match=r"model.norm=layers: .* mean layer"):
        make_norm("layers", 8, maps=True)


RATE = st.floats(0, 0.999)


@settings(deadline=None)
@given(st.lists(RATE, min_size=1, max_size=9), st.floats(0, 1))
def test_scaled_rates(own, scale):
    places = {f"place{index}": rate for index, rate in enumerate(own)}
    assert dropout_rates(places, None, scale) == {place: rate * scale for place, rate in places.items()}


@settings(deadline=None)
@given(st.lists(RATE, min_size=1, max_size=9))
def test_a_list_gives_each_place_its_rate(listed):
    places = {f"place{index}": 0.5 for index in range(len(listed))}
    assert list(dropout_rates(places, listed).values()) == listed


def test_dropout_of_rate_zero_is_no_layer():
    assert make_dropout(0.0) is None
    layer = make_dropout(0.3)
    assert isinstance(layer, nn.Dropout)
    assert layer.p == 0.3


@pytest.mark.parametrize(
    ("init", "variance"),
    [("he", 2 / 400), ("lecun", 1 / 400), ("glorot", 2 / (400 + 900)), ("default", 1 / (3 * 400))],
)
def test_initial_weights_have_the_variance_of_their_rule(init, variance):
    torch.manual_seed(0)
    dense, maps = nn.Linear(400, 900), nn.Conv2d(16, 36, 5)  # fan-in 16 · 25 = 400, fan-out 36 · 25 = 900
    for layer in (dense, maps):
        initialize(layer, init)
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
        assert layer.weight.mean().item() == pytest.approx(
            0, abs=4 * math.sqrt(variance / layer.weight.numel())
        )
        assert bool((layer.bias == 0).all()) == (init != "default")


def test_he_counts_the_leak():
    torch.manual_seed(0)
    layer = nn.Linear(400, 900)
    initialize(layer, "he", leak=0.5)
    assert layer.weight.var().item() == pytest.approx(2 / 1.25 / 400, rel=0.02)


@pytest.mark.parametrize(
    ("options", "variance"),
    [
        ({"activation": "relu"}, 2 / 288),
        ({"activation": "leaky_relu", "slope": 0.5}, 2 / 1.25 / 288),
        ({"activation": "selu"}, 2 / 288),
    ],
)
def test_he_in_a_model_follows_the_activation(options, variance):
    torch.manual_seed(0)
    weight = Small(init="he", **options).features.block3.conv.weight
    assert weight.var().item() == pytest.approx(variance, rel=0.05)


def activations_of(net: DNN, images: torch.Tensor) -> list[torch.Tensor]:
    outputs: list[torch.Tensor] = []
    for block in list(net.features)[1:]:  # the first is the flatten
        block.register_forward_hook(lambda *args: outputs.append(args[2].detach()))
    with torch.no_grad():
        net(images)
    return outputs


@pytest.mark.parametrize("alpha", [False, True])
def test_selu_with_its_own_initialization_normalizes_itself(alpha):
    torch.manual_seed(0)
    net = DNN(
        activation="selu",
        init="lecun",
        alpha_dropout=alpha,
        dropout=0.1 if alpha else 0,
        widths=[512] * 8,
        image_size=20,
    ).train()
    images = torch.randn(400, 1, 20, 20)
    outputs = activations_of(net, images)
    assert len(outputs) == 8
    for values in outputs:
        assert values.mean().item() == pytest.approx(0, abs=0.1)
        assert values.var().item() == pytest.approx(1, abs=0.15)


def test_selu_with_torchs_initialization_does_not():
    torch.manual_seed(0)
    net = DNN(activation="selu", dropout=0, widths=[512] * 8, image_size=20).train()
    assert activations_of(net, torch.randn(400, 1, 20, 20))[-1].var().item() < 0.1
