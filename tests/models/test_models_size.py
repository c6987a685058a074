"""R3's formula for output sizes, against torch and against every layer of every model."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.models import conv_output_size, packaged_model, packaged_models
from fer_lightning.models.size import check_image_size, feature_map_size, layer_output_size

MINIMUM = {
    "cnn": 16,
    "cnn_deep": 8,
    "cnn_shallow": 8,
    "cnn_pad": 9,
    "dnn": 1,
    "fast": 1,
    "small": 15,
    "vgg16": 32,
    "vgg19": 32,
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((48, 5), 44),
        ((48, 5, 1, 2), 48),
        ((48, 2, 2), 24),
        ((24, 3, 2), 11),
        ((48, 5, 2, 2), 24),
        ((3, 2, 2), 1),
        ((4, 5), 0),
        ((1, 5, 2), -1),
    ],
)
def test_formula(arguments, expected):
    assert conv_output_size(*arguments) == expected


@settings(deadline=None)
@given(size=st.integers(1, 40), kernel=st.integers(1, 9), stride=st.integers(1, 5), padding=st.integers(0, 4))
def test_formula_is_torchs(size, kernel, stride, padding):
    expected = conv_output_size(size, kernel, stride, padding)
    assume(expected > 0)
    layers: list[nn.Module] = [nn.Conv2d(1, 1, kernel, stride, padding, device="meta")]
    if padding <= kernel // 2:  # torch refuses a pool with more padding
        layers += [nn.MaxPool2d(kernel, stride, padding), nn.AvgPool2d(kernel, stride, padding)]
    for layer in layers:
        assert layer(torch.zeros(1, 1, size, size, device="meta")).shape[2:] == (expected, expected)
        assert layer_output_size(layer, size) == expected


@settings(deadline=None)
@given(size=st.integers(1, 9), kernel=st.integers(1, 12), padding=st.integers(0, 2))
def test_formula_gives_no_size_where_torch_refuses(size, kernel, padding):
    assume(conv_output_size(size, kernel, 1, padding) <= 0)
    with pytest.raises(RuntimeError):
        nn.Conv2d(1, 1, kernel, padding=padding)(torch.zeros(1, 1, size, size))


@pytest.mark.parametrize("name", packaged_models())
@pytest.mark.parametrize("size", [48, 64, 75])
def test_formula_holds_for_every_convolution_and_pool(name, size):
    model = packaged_model(name, image_size=size, num_classes=7).eval()
    seen = []

    def compare(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        height, width = inputs[0].shape[2:]
        assert output.shape[2:] == (layer_output_size(layer, height), layer_output_size(layer, width))
        seen.append(layer)

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.ZeroPad2d)
    layers = [layer for layer in model.modules() if isinstance(layer, kinds)]
    for layer in layers:
        layer.register_forward_hook(compare)
    model(torch.zeros(1, 1, size, size, device="meta"))
    assert seen == layers
    maps = model.features(torch.zeros(1, 1, size, size, device="meta"))
    if maps.dim() == 4:
        assert maps.shape[2:] == (feature_map_size(model.features, size),) * 2


@pytest.mark.parametrize("name", packaged_models())
def test_smallest_image_works_and_one_pixel_less_is_refused(name):
    smallest = MINIMUM[name]
    model = packaged_model(name, image_size=smallest, num_classes=7).eval()
    assert model(torch.zeros(1, 1, smallest, smallest, device="meta")).shape == (1, 7)
    if smallest > 1:
        with pytest.raises(
            ConfigError, match=f"size={smallest - 1}: too small .* expected at least {smallest}$"
        ):
            packaged_model(name, image_size=smallest - 1, num_classes=7)


def test_check_image_size_returns_the_map_size():
    assert check_image_size(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.MaxPool2d(2)), 11) == 4
