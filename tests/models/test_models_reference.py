"""The models against the reports: layer by layer, and the exact totals."""

from __future__ import annotations

import re
from importlib import resources

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import nn

from fer_lightning.models import (
    CNN,
    DNN,
    VGG16,
    VGG19,
    CNNDeep,
    CNNPad,
    CNNShallow,
    FaceNet,
    Fast,
    Options,
    Small,
    count_parameters,
    packaged_model,
    packaged_models,
)

MODELS = {
    "cnn": CNN,
    "cnn_deep": CNNDeep,
    "cnn_pad": CNNPad,
    "cnn_shallow": CNNShallow,
    "dnn": DNN,
    "fast": Fast,
    "small": Small,
    "vgg16": VGG16,
    "vgg19": VGG19,
}


def conv(inputs: int, filters: int, kernel: int = 3, **settings: int) -> nn.Module:
    return nn.Conv2d(inputs, filters, kernel, **settings)


def batch_norm_relu(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU()]


def r2_cnn() -> list[nn.Module]:
    def leaky() -> nn.Module:
        return nn.LeakyReLU(0.1)

    return [
        *[conv(1, 64, 5, padding=2), nn.BatchNorm2d(64), leaky(), nn.Dropout(0.2)],
        *[conv(64, 64, padding=1), nn.BatchNorm2d(64), leaky(), nn.MaxPool2d(2), nn.Dropout(0.2)],
        *[conv(64, 128, padding=1), nn.BatchNorm2d(128), leaky(), nn.MaxPool2d(2), nn.Dropout(0.3)],
        *[conv(128, 256, padding=1), nn.BatchNorm2d(256), leaky(), nn.MaxPool2d(2), nn.Dropout(0.4)],
        *[conv(256, 512, padding=1), nn.BatchNorm2d(512), leaky(), nn.MaxPool2d(2), nn.Dropout(0.4)],
        nn.Flatten(),
        *[nn.Linear(4608, 512), nn.BatchNorm1d(512), leaky(), nn.Dropout(0.5)],
        *[nn.Linear(512, 256), nn.BatchNorm1d(256), leaky(), nn.Dropout(0.5)],
        nn.Linear(256, 7),
    ]


def r0_cnn() -> list[nn.Module]:
    return [
        *[conv(1, 64, 5), nn.ReLU(), nn.ZeroPad2d(2), nn.MaxPool2d(5, 2)],
        *[nn.ZeroPad2d(1), conv(64, 64), nn.ReLU(), nn.ZeroPad2d(1), conv(64, 64), nn.ReLU()],
        nn.AvgPool2d(3, 2),
        *[nn.ZeroPad2d(1), conv(64, 128), nn.ReLU(), nn.ZeroPad2d(1), conv(128, 128), nn.ReLU()],
        *[nn.ZeroPad2d(1), nn.AvgPool2d(3, 2), nn.Flatten()],
        *[nn.Linear(3200, 1024), nn.ReLU(), nn.Dropout(0.5)],
        *[nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 7)],
    ]


def r2_dnn() -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Flatten()]
    units = [2304, 1024, 1024, 512, 256, 128]
    for inputs, outputs, rate in zip(units, units[1:], (0.3, 0.3, 0.4, 0.5, 0.5), strict=False):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.1), nn.Dropout(rate)]
    return [*layers, nn.Linear(128, 7)]


def r3_cnn(filters: tuple[int, ...], depth: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    inputs = 1
    for block, channels in enumerate(filters):
        for _ in range(depth):
            kernel, padding = ((5, 2), (3, 1), (3, 1))[block]
            layers += [conv(inputs, channels, kernel, padding=padding), nn.LeakyReLU(0.05)]
            layers.append(nn.BatchNorm2d(channels))
            inputs = channels
        layers += [nn.MaxPool2d(2)] + [nn.Dropout(0.1)] * (block < 2)
    head = [nn.Flatten(), nn.Linear(18432, 512), nn.ReLU(), nn.BatchNorm1d(512), nn.Linear(512, 7)]
    return layers + head


def r1_vgg(filters: str, dense: list[nn.Module]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    inputs = 1
    for word in filters.split():
        if word == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [conv(inputs, int(word), padding=1), *batch_norm_relu(int(word))]
        inputs = int(word)
    return [*layers, nn.Flatten(), nn.BatchNorm1d(512), *dense]


def r1_vgg16() -> list[nn.Module]:
    dense = [nn.Linear(512, 4096), nn.ReLU(), nn.Linear(4096, 1000), nn.BatchNorm1d(1000), nn.ReLU()]
    filters = "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M"
    return r1_vgg(filters, [*dense, nn.Linear(1000, 7)])


def r1_vgg19() -> list[nn.Module]:
    dense: list[nn.Module] = []
    for inputs, outputs in ((512, 4096), (4096, 4096), (4096, 1000)):
        dense += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    filters = "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"
    return r1_vgg(filters, [*dense, nn.Linear(1000, 7)])


def small() -> list[nn.Module]:
    return [
        *[conv(1, 16, 5, stride=2, padding=2), *batch_norm_relu(16), nn.MaxPool2d(2), nn.Dropout(0.1)],
        *[conv(16, 32, padding=1), *batch_norm_relu(32), nn.MaxPool2d(2), nn.Dropout(0.1)],
        *[conv(32, 64, padding=1), *batch_norm_relu(64), nn.MaxPool2d(2), nn.Dropout(0.2)],
        *[nn.Flatten(), nn.Linear(576, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 7)],
    ]


def fast() -> list[nn.Module]:
    """The layers of `Fast` in their order; the additions of its residual blocks are no layers."""

    def unit(inputs: int, filters: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, bias=False)
        return [convolution, nn.BatchNorm2d(filters), nn.ReLU()]

    return [
        *[*unit(1, 64, 5, 2), *unit(64, 64)],
        *[*unit(64, 128, stride=2), *unit(128, 128)],
        *[*unit(128, 256, stride=2), *unit(256, 256)],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(256, 7)],
    ]


LAYERS = {
    "cnn": r2_cnn,
    "cnn_deep": lambda: r3_cnn((32, 128, 512), 3),
    "cnn_pad": r0_cnn,
    "cnn_shallow": lambda: r3_cnn((64, 128, 512), 1),
    "dnn": r2_dnn,
    "fast": fast,
    "small": small,
    "vgg16": r1_vgg16,
    "vgg19": r1_vgg19,
}


def leaves(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if not any(module.children())]


def on_meta(name: str, **options: object) -> FaceNet:
    with torch.device("meta"):
        return MODELS[name](**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODELS)
def test_the_layers_are_those_of_the_report_in_its_order(name):
    with torch.device("meta"):
        expected = LAYERS[name]()
    assert [repr(layer) for layer in leaves(on_meta(name))] == [repr(layer) for layer in expected]


@pytest.mark.parametrize("name", ["cnn", "cnn_deep", "cnn_pad", "cnn_shallow", "dnn", "small", "vgg16"])
def test_forward_is_the_chain_of_these_layers(name):
    torch.manual_seed(0)
    model, chain = MODELS[name](), nn.Sequential(*LAYERS[name]())
    for ours, plain in zip(model.state_dict().values(), chain.state_dict().values(), strict=True):
        if ours.is_floating_point():
            ours.add_(torch.rand_like(ours) * 0.01)  # so that norms and their statistics are not neutral
        plain.copy_(ours)
    images = torch.randn(2, 1, 48, 48)
    with torch.no_grad():
        logits = model.eval()(images)
        torch.testing.assert_close(logits, chain.eval()(images))
    assert logits.std() > 0


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("cnn", 4_087_879),
        ("cnn_pad", 4_631_559),
        ("dnn", 4_099_847),
        ("vgg16", 20_941_735),
        ("vgg19", 43_070_631),
    ],
)
def test_totals_of_the_reports(name, total):
    assert count_parameters(on_meta(name)).total == total


def test_r2_also_gives_the_trainable_parameters():
    statistics = 2 * (64 + 64 + 128 + 256 + 512 + 512 + 256)
    assert count_parameters(on_meta("cnn")) == (4_087_879, 4_084_295, statistics)


def test_vgg16_with_selu_keeps_the_total():
    assert count_parameters(on_meta("vgg16", activation="selu")).total == 20_941_735


def test_total_of_cnn_deep_counted_by_hand():
    # A convolution has filters × (inputs × kernel²) weights and a bias a filter; its batch norm 4 a filter.
    block1 = 32 * (1 * 25) + 32 + 2 * (32 * (32 * 25) + 32) + 3 * 4 * 32
    block2 = 128 * (32 * 9) + 128 + 2 * (128 * (128 * 9) + 128) + 3 * 4 * 128
    block3 = 512 * (128 * 9) + 512 + 2 * (512 * (512 * 9) + 512) + 3 * 4 * 512
    # Three 2×2 pools: 48 → 24 → 12 → 6, so 6 · 6 · 512 = 18,432 values reach the dense layer.
    dense = 18_432 * 512 + 512 + 4 * 512
    output = 512 * 7 + 7
    assert (block1, block2, block3) == (52_480, 333_696, 5_316_096)
    assert (dense, output) == (9_439_744, 3_591)
    assert count_parameters(on_meta("cnn_deep")).total == 15_145_607
    assert block1 + block2 + block3 + dense + output == 15_145_607


def test_total_of_cnn_shallow_counted_by_hand():
    block1 = 64 * 25 + 64 + 4 * 64
    block2 = 128 * (64 * 9) + 128 + 4 * 128
    block3 = 512 * (128 * 9) + 512 + 4 * 512
    dense, output = 18_432 * 512 + 512 + 4 * 512, 512 * 7 + 7
    assert block1 + block2 + block3 + dense + output == 10_112_007
    assert count_parameters(on_meta("cnn_shallow")).total == 10_112_007


def test_total_of_small_counted_by_hand():
    block1 = 16 * 25 + 16 + 4 * 16
    block2 = 32 * (16 * 9) + 32 + 4 * 32
    block3 = 64 * (32 * 9) + 64 + 4 * 64
    # Stride 2 and three pools: 48 → 24 → 12 → 6 → 3.
    dense, output = (3 * 3 * 64) * 64 + 64 + 4 * 64, 64 * 7 + 7
    assert block1 + block2 + block3 + dense + output == 61_639
    assert count_parameters(on_meta("small")).total == 61_639


def test_total_of_fast_counted_by_hand():
    stem, stage1 = 64 * 25 + 4 * 64, 64 * 64 * 9 + 4 * 64
    stage2 = 128 * (64 * 9) + 128 * (128 * 9) + 2 * 4 * 128
    stage3 = 256 * (128 * 9) + 256 * (256 * 9) + 2 * 4 * 256
    assert stem + stage1 + stage2 + stage3 + 256 * 7 + 7 == 1_149_767
    assert count_parameters(on_meta("fast")).total == 1_149_767


def test_residual_blocks_of_fast_add_their_input():
    torch.manual_seed(0)
    model = Fast(widths=[4, 6], depth=2, convolutions=2).eval()
    maps = torch.randn(2, 6, 5, 5)
    block = model.features.stage2.res2
    inner = nn.Sequential(*block)
    assert [type(layer) for layer in inner] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 2
    torch.testing.assert_close(block(maps), maps + inner(maps))
    filters = [layer.out_channels for layer in leaves(model) if isinstance(layer, nn.Conv2d)]
    assert filters == [4] * 5 + [6] * 5


def test_fast_averages_over_the_positions_of_any_size():
    torch.manual_seed(0)
    model = Fast(widths=[4, 8]).eval()
    for side in (24, 40, 48, 56):
        images = torch.randn(3, 1, side, side)
        expected = model.classifier.output(model.features(images).mean(dim=(2, 3)))
        torch.testing.assert_close(model(images), expected)


def test_all_models_are_packaged():
    assert packaged_models() == sorted(MODELS)


def yaml_of(name: str) -> str:
    return resources.files("fer_lightning.conf").joinpath("model", f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_config_builds_what_the_constructor_builds_by_itself(name):
    with torch.device("meta"):
        configured = instantiate(OmegaConf.create(yaml_of(name)))
    assert type(configured) is MODELS[name]
    assert repr(configured) == repr(on_meta(name)) == repr(packaged_model(name, image_size=48, num_classes=7))


@pytest.mark.parametrize("name", MODELS)
def test_config_has_every_option_and_the_total_in_its_first_line(name):
    text = yaml_of(name)
    own = {"fast": {"widths", "depth", "convolutions"}, "dnn": {"widths", "match"}}
    own |= {"cnn_deep": {"dense_activation"}, "cnn_shallow": {"dense_activation"}}
    config = OmegaConf.create(text)
    assert set(config) == {"_target_"} | set(Options.__annotations__) | own.get(name, set())
    assert next(iter(config)) == "_target_"
    assert get_class(config["_target_"]) is MODELS[name]
    stated = re.search(r"^# .*?([\d,]+) parameters", text)
    assert stated is not None
    assert int(stated[1].replace(",", "")) == count_parameters(on_meta(name)).total


@pytest.mark.parametrize("name", MODELS)
def test_config_states_the_own_dropout_rates_and_slope(name):
    text, model = yaml_of(name), on_meta(name)
    stated = re.search(r"^dropout: null # .*null: (.*)$", text, re.MULTILINE)
    assert stated is not None
    own = list(model.blocks.dropout.values())
    assert [float(rate) for rate in stated[1].split()] == own if stated[1] != "none" else not any(own)
    assert f"start of prelu; null: {model.blocks.slope}\n" in text


def test_lists_of_a_config_are_taken_as_lists():
    net = instantiate(OmegaConf.create(yaml_of("dnn")), widths=[30, 20], dropout=[0.1, 0.2])
    assert type(net.widths) is list  # plain, so that a checkpoint can hold it
    assert net.widths == [30, 20]
    assert net.blocks.dropout == {"dense1": 0.1, "dense2": 0.2}


def test_packaged_model_takes_size_and_classes():
    model = packaged_model("cnn", image_size=64, num_classes=3)
    assert model(torch.zeros(5, 1, 64, 64, device="meta")).shape == (5, 3)
    assert model.classifier.dense1.linear.in_features == 512 * 8 * 8 // 4  # 64 → 32 → 16 → 8 → 4


@pytest.mark.parametrize("name", ["small", "vgg16"])
def test_packaged_model_draws_no_random_number(name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    model = packaged_model(name, image_size=48, num_classes=7)
    assert torch.equal(torch.get_rng_state(), before)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
