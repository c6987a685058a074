"""What the summary says about a model, against counts made in other ways."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fer_lightning.commands.summary import summary_text
from fer_lightning.models import (
    Layer,
    Small,
    count_multiply_adds,
    count_parameters,
    model_summary,
    packaged_model,
    packaged_models,
)
from fer_lightning.models.layer_summary import layer_kind


@pytest.fixture(scope="module", params=packaged_models())
def model(request):
    return packaged_model(request.param, image_size=48, num_classes=7)


def test_layers_add_up_to_the_totals(model):
    summary = model_summary(model, 48)
    assert sum(layer.parameters for layer in summary.layers) == summary.parameters.total
    assert summary.parameters == count_parameters(model)
    leaves = [name for name, module in model.named_modules() if not any(module.children())]
    assert [layer.name for layer in summary.layers] == leaves


def test_multiply_adds_are_torchs_own_count(model):
    assert model_summary(model, 48).multiply_adds == count_multiply_adds(model, 48)


def test_output_sizes_are_those_of_the_forward_pass(model):
    sizes: dict[str, tuple[int, ...]] = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: sizes.update({name: tuple(out.shape[1:])})
        )
        for name, module in model.named_modules()
    ]
    model.eval()(torch.zeros(1, 1, 48, 48, device="meta"))
    for hook in hooks:
        hook.remove()
    for layer in model_summary(model, 48).layers:
        assert layer.output == sizes[layer.name]


def test_text_fits_100_columns_and_names_every_layer(model):
    summary = model_summary(model, 48)
    text = summary_text(summary)
    assert max(len(line) for line in text.splitlines()) <= 100
    for layer in summary.layers:
        assert sum(line.split()[:1] == [layer.name] for line in text.splitlines()) == 1
    assert f"{summary.parameters.total:,}  parameters" in text
    assert f"{summary.parameters.trainable:,}  trainable" in text
    assert f"{summary.multiply_adds:,}  multiply-adds" in text


def test_values_of_the_small_model():
    layers = {layer.name: layer for layer in model_summary(Small(), 48).layers}
    conv = Layer(
        "features.block1.conv", "Conv2d 5×5 stride 2 padding 2", (16, 24, 24), 16 * 26, 16 * 25 * 24 * 24
    )
    assert layers["features.block1.conv"] == conv
    assert layers["features.block1.norm"] == Layer("features.block1.norm", "BatchNorm2d", (16, 24, 24), 64, 0)
    assert layers["features.block3.pool"].output == (64, 3, 3)
    assert layers["classifier.flatten"].output == (576,)
    assert layers["classifier.dense1.linear"].multiply_adds == 576 * 64
    assert layers["classifier.output"] == Layer("classifier.output", "Linear", (7,), 64 * 7 + 7, 64 * 7)


def test_values_of_multiply_adds_by_hand():
    convolutions = 25 * 16 * 24 * 24 + 9 * 16 * 32 * 12 * 12 + 9 * 32 * 64 * 6 * 6
    assert count_multiply_adds(Small(), 48) == convolutions + 576 * 64 + 64 * 7


def test_summary_leaves_the_model_and_the_random_numbers_alone():
    torch.manual_seed(0)
    model = Small().train()
    model.features.block1.norm.eval()  # a module in a mode of its own
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    model_summary(model, 48)
    count_multiply_adds(model, 48)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_frozen_parameters_are_not_trainable():
    model = Small()
    model.features.block1.conv.requires_grad_(False)
    total, trainable, rest = count_parameters(model)
    statistics = 2 * (16 + 32 + 64 + 64)
    assert (total, trainable, rest) == (61_639, 61_639 - statistics - 416, statistics + 416)


def test_any_module_can_be_summarized():
    model = nn.Sequential(
        nn.Conv2d(1, 2, (3, 5), bias=False), nn.GroupNorm(2, 2), nn.Flatten(), nn.Linear(96, 3)
    )
    kinds = [(layer.kind, layer.output, layer.parameters) for layer in model_summary(model, 8 + 2).layers[:2]]
    assert kinds == [("Conv2d 3×5", (2, 8, 6), 30), ("GroupNorm 2 groups", (2, 8, 6), 4)]


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.ZeroPad2d(2), "ZeroPad2d 2"),
        (nn.MaxPool2d(5, stride=2), "MaxPool2d 5×5 stride 2"),
        (nn.AvgPool2d(3, 2, padding=1), "AvgPool2d 3×3 stride 2 padding 1"),
        (nn.Dropout(0.25), "Dropout 0.25"),
        (nn.LeakyReLU(0.05), "LeakyReLU 0.05"),
        (nn.GroupNorm(1, 8), "GroupNorm 1 group"),
        (nn.Flatten(), "Flatten"),
    ],
)
def test_kinds_say_what_decides_the_output(layer, kind):
    assert layer_kind(layer) == kind
