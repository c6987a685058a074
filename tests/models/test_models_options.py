"""Every option of every model: what it changes, and what is refused."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.models import CNN, DNN, VGG16, VGG19, CNNDeep, CNNPad, CNNShallow, FaceNet, Fast, Small
from fer_lightning.models.options import Activation, Init, Norm

ACTIVATIONS = get_args(Activation)
# Small images keep the tests fast: the layers are the same.
SIZES: dict[type[FaceNet], int] = {
    CNN: 16,
    CNNDeep: 8,
    CNNPad: 20,
    CNNShallow: 8,
    DNN: 12,
    Fast: 16,
    Small: 20,
    VGG16: 32,
}
ALL_SIZES = SIZES | {VGG19: 32}
OPTIONS: list[dict[str, object]] = [
    *({"activation": name} for name in ACTIVATIONS),
    *({"activation": name, "slope": 0.3} for name in ("leaky_relu", "prelu")),
    *({"norm": name, "norm_position": place} for name in get_args(Norm) for place in ("before", "after")),
    *({"init": name} for name in get_args(Init)),
    {"dropout": 0.25},
    {"dropout_scale": 0.5},
    {"activation": "selu", "init": "lecun", "alpha_dropout": True, "dropout": 0.1, "norm": "none"},
    {"num_classes": 3},
]
# Of the models that share a builder, and of the large ones, the rest is the same code.
FEW = [OPTIONS[1], {"norm": "group", "dropout": 0.2, "num_classes": 3}, {"norm": "layer"}]
LIGHT = [(model, option) for model in (CNN, CNNPad, CNNShallow, DNN, Fast, Small) for option in OPTIONS]
HEAVY = [(model, option) for model in (VGG16, CNNDeep) for option in FEW] + [(VGG19, FEW[1])]
OWN: list[tuple[type[FaceNet], dict[str, object]]] = [
    (CNNDeep, {"dense_activation": None, "activation": "elu"}),
    (CNNShallow, {"dense_activation": "gelu"}),
    (DNN, {"widths": [40, 20]}),
    (DNN, {"match": 100_000}),
    (Fast, {"widths": [8, 12], "depth": 2, "convolutions": 2}),
    (Fast, {"widths": [8, 8], "depth": [0, 1]}),
]


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


@pytest.mark.parametrize(("model", "options"), LIGHT + HEAVY + OWN, ids=name_of)
def test_option_gives_finite_logits_and_gradients_everywhere(model, options):
    torch.manual_seed(0)
    size = ALL_SIZES[model]
    net = model(image_size=size, **options).train()
    logits = net(torch.randn(4, 1, size, size))
    assert logits.shape == (4, options.get("num_classes", 7))
    assert logits.isfinite().all()
    assert logits.std(dim=0).min() > 0  # the image matters
    (logits * torch.randn_like(logits)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # The bias of a layer under a norm has no influence, so only weights must have a gradient.
        assert parameter.dim() == 1 or parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("model", ALL_SIZES, ids=name_of)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_is_the_one_asked_for_at_every_place(model, activation):
    with torch.device("meta"):
        own, net = model(), model(activation=activation)
    classes = (nn.ReLU, nn.SELU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.PReLU)
    expected = classes[ACTIVATIONS.index(activation)]
    before = [name for name, layer in own.named_modules() if isinstance(layer, classes)]
    found = {name: layer for name, layer in net.named_modules() if isinstance(layer, classes)}
    assert list(found) == before
    if model in (CNNDeep, CNNShallow):  # the report's dense layer has an activation of its own
        assert type(found.pop("classifier.dense1.activation")) is nn.ReLU
    assert {type(layer) for layer in found.values()} == {expected}


@pytest.mark.parametrize(
    ("model", "own"), [(CNN, 0.1), (DNN, 0.1), (CNNDeep, 0.05), (Small, 0.1)], ids=name_of
)
def test_slope_is_the_models_own_unless_given(model, own):
    def slopes(**options: object) -> set[float]:
        net = model(image_size=24, **options)
        leaky = {layer.negative_slope for layer in net.modules() if isinstance(layer, nn.LeakyReLU)}
        return leaky | {round(m.weight.item(), 6) for m in net.modules() if isinstance(m, nn.PReLU)}

    assert slopes(activation="leaky_relu") == slopes(activation="prelu") == {own}
    assert slopes(activation="leaky_relu", slope=0.3) == slopes(activation="prelu", slope=0.3) == {0.3}


def test_dense_activation_of_r3_follows_when_it_is_null():
    with torch.device("meta"):
        net = CNNDeep(activation="silu", dense_activation=None)
    assert isinstance(net.classifier.dense1.activation, nn.SiLU)
    assert not any(isinstance(layer, nn.ReLU) for layer in net.modules())


def test_alpha_dropout_is_left_out_of_a_dense_layer_that_is_not_selu():
    options = {"activation": "selu", "alpha_dropout": True, "dropout": 0.2, "image_size": 8}
    mixed, pure = CNNDeep(**options), CNNDeep(**options, dense_activation=None)
    assert isinstance(mixed.features.block1.dropout, nn.AlphaDropout)
    assert type(mixed.classifier.dense1.dropout) is nn.Dropout
    assert type(pure.classifier.dense1.dropout) is nn.AlphaDropout


@pytest.mark.parametrize("model", ALL_SIZES, ids=name_of)
def test_norm_position_swaps_norm_and_activation(model):
    def order(position: str) -> list[str]:
        with torch.device("meta"):
            net = model(norm="batch", norm_position=position)
        return [name.rpartition(".")[2] for name, m in net.named_modules() if not any(m.children())]

    before, after = order("before"), order("after")
    swapped = list(before)
    for index, name in enumerate(before[:-1]):
        if name.startswith("norm") and before[index + 1].startswith("activation"):
            swapped[index : index + 2] = before[index + 1], name
    assert after == swapped != before


def test_norm_position_changes_the_output():
    images = torch.randn(8, 1, 20, 20)
    torch.manual_seed(0)
    before = Small(image_size=20, norm_position="before", dropout=0).train().features.block1
    after = Small(image_size=20, norm_position="after", dropout=0).train().features.block1
    after.load_state_dict(before.state_dict())
    normed = after.norm(after.activation(after.conv(images)))
    torch.testing.assert_close(after(images), after.pool(normed))
    activated = before.activation(before.norm(before.conv(images)))
    torch.testing.assert_close(before(images), before.pool(activated))
    # Only where the norm comes last do the maps have mean 0, and only there are they ever negative.
    assert normed.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert normed.min() < 0 <= activated.min()


@pytest.mark.parametrize("model", ALL_SIZES, ids=name_of)
def test_norm_none_leaves_no_norm(model):
    with torch.device("meta"):
        net = model(norm="none")
    assert not [name for name, _ in net.named_modules() if "norm" in name]


def rates(net: nn.Module) -> dict[str, float]:
    return {
        name.split(".")[-2]: layer.p
        for name, layer in net.named_modules()
        if isinstance(layer, (nn.Dropout, nn.AlphaDropout))
    }


@pytest.mark.parametrize("model", ALL_SIZES, ids=name_of)
def test_dropout_places_get_their_rates(model):
    with torch.device("meta"):
        own = model().blocks.dropout
        places = list(own)
        listed = [round(0.1 + 0.05 * index, 2) for index in range(len(places))]
        assert rates(model()) == {place: rate for place, rate in own.items() if rate}
        assert rates(model(dropout=0.35)) == dict.fromkeys(places, 0.35)
        assert rates(model(dropout=listed)) == dict(zip(places, listed, strict=True))
        assert rates(model(dropout=0)) == rates(model(dropout_scale=0)) == {}
        assert rates(model(dropout_scale=0.5)) == {place: rate / 2 for place, rate in own.items() if rate}


def test_every_stage_and_hidden_dense_layer_is_a_dropout_place():
    with torch.device("meta"):
        for model in (CNN, CNNDeep, CNNPad, CNNShallow, DNN, Small, VGG16, VGG19):
            net = model()
            stages = [name for name, _ in net.features.named_children() if name != "flatten"]
            dense = [name for name, _ in net.classifier.named_children() if name.startswith("dense")]
            assert list(net.blocks.dropout) == stages + dense


def test_alpha_dropout_replaces_dropout():
    with torch.device("meta"):
        net = CNN(activation="selu", alpha_dropout=True)
    kinds = {type(layer) for layer in net.modules() if isinstance(layer, (nn.Dropout, nn.AlphaDropout))}
    assert kinds == {nn.AlphaDropout}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "rleu"}, "model.activation=rleu: expected one of relu, selu, .* mean relu"),
        (
            {"norm": "bach"},
            r"model.norm=bach: expected one of batch, none, group, layer, or null \(did you mean batch",
        ),
        ({"norm_position": "under"}, "model.norm_position=under: expected one of before, after, or null$"),
        ({"init": "xavier"}, "model.init=xavier: expected one of default, he, lecun, glorot"),
        ({"slope": 0.2, "activation": "relu"}, "model.slope=0.2: needs .*=leaky_relu or prelu, not relu$"),
        ({"slope": 1.5}, "model.slope=1.5: expected a number from 0 to 1, or null"),
        ({"slope": float("nan")}, "model.slope=nan: expected"),
        ({"slope": "steep"}, "model.slope=steep: expected"),
        ({"alpha_dropout": True}, "model.alpha_dropout=true: needs model.activation=selu, not leaky_relu"),
        ({"alpha_dropout": "maybe"}, "model.alpha_dropout=maybe: expected true or false"),
        (
            {"dropout": 1.0},
            "model.dropout=1.0: expected a number of at least 0 and below 1, or a list of numbers",
        ),
        ({"dropout": -0.1}, "model.dropout=-0.1: expected"),
        ({"dropout": "half"}, "model.dropout=half: expected"),
        ({"dropout": True}, "model.dropout=true: expected"),
        (
            {"dropout": [0.1, 0.2]},
            r"model.dropout=\[0.1, 0.2\]: expected 7 rates, one for each of block1, .*, dense1, dense2$",
        ),
        ({"dropout": [0.1] * 6 + [2]}, r"model.dropout=\[.*, 2\]: expected"),
        ({"dropout_scale": 2.0}, "model.dropout_scale=2.0: brings a rate to 1, expected under 1"),
        ({"dropout_scale": -1}, "model.dropout_scale=-1: expected a number of at least 0"),
        ({"dropout_scale": float("inf")}, "model.dropout_scale=inf: expected"),
        ({"dropout": 0.2, "dropout_scale": 0.5}, "model.dropout_scale=0.5: .* needs model.dropout=null"),
        ({"image_size": 7}, "model.image_size=7: too small for this model, expected at least 16$"),
        ({"image_size": 0}, "model.image_size=0: expected a whole number of at least 1"),
        ({"image_size": 48.0}, "model.image_size=48.0: expected a whole number"),
        ({"num_classes": 1}, "model.num_classes=1: expected a whole number of at least 2"),
    ],
)
def test_mistakes_are_refused_in_one_line(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        CNN(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (CNNDeep, {"dense_activation": "silo"}, "model.dense_activation=silo: expected .* mean silu"),
        (DNN, {"widths": []}, r"model.widths=\[\]: expected a non-empty list of whole numbers"),
        (DNN, {"widths": 512}, "model.widths=512: expected a non-empty list of whole numbers"),
        (DNN, {"widths": [512, 0]}, r"model.widths=\[512, 0\]: expected a non-empty list of .* at least 1"),
        (DNN, {"widths": [9, 9], "dropout": [0.1]}, "expected 2 rates, one for each of dense1, dense2"),
    ],
    ids=name_of,
)
def test_mistakes_in_a_models_own_options_are_refused(model, options, message):
    with pytest.raises(ConfigError, match=message):
        model(**options)


def test_unknown_option_is_refused():
    with pytest.raises(ConfigError, match=r"model\.drpout: no such key; did you mean model\.dropout\?"):
        CNN(drpout=0.5)


def test_more_hidden_layers_repeat_the_last_own_rate():
    net = DNN(widths=[8] * 7, image_size=8)
    assert list(net.blocks.dropout.values()) == [0.3, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("model", [CNN, CNNDeep, CNNPad, Fast, Small], ids=name_of)
def test_channels_last_changes_no_number(model):
    torch.manual_seed(0)
    net = model(dropout=0, image_size=24).double().train()
    images = torch.randn(4, 1, 24, 24, dtype=torch.float64)
    other = copy.deepcopy(net).to(memory_format=torch.channels_last)
    expected = net(images)
    torch.testing.assert_close(other(images.to(memory_format=torch.channels_last)), expected)
    assert expected.std() > 0


@pytest.mark.parametrize("model", [CNN, CNNShallow, DNN, Fast, Small], ids=name_of)
def test_same_seed_same_logits(model):
    def logits(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return model(image_size=16).train()(torch.randn(4, 1, 16, 16))

    assert torch.equal(logits(5), logits(5))
    assert not torch.equal(logits(5), logits(6))


@pytest.mark.parametrize("model", [CNNPad, CNNDeep, CNN, Fast, Small], ids=name_of)
def test_works_at_64_pixels_with_other_classes(model):
    net = model(image_size=64, num_classes=5, activation="gelu").eval()
    assert net(torch.zeros(1, 1, 64, 64)).shape == (1, 5)


@pytest.mark.parametrize("model", [CNN, CNNDeep, Fast, VGG16], ids=name_of)
def test_no_layer_works_in_place(model):
    with torch.device("meta"):
        assert not any(getattr(layer, "inplace", False) for layer in model().modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": []}, r"model\.widths=\[\]: expected a non-empty list"),
        ({"widths": [64, 0]}, r"model\.widths=\[64, 0\]: expected .* whole numbers of at least 1"),
        ({"depth": [1, 2]}, r"model\.depth=\[1, 2\]: expected one number, or 3"),
        ({"depth": -1}, r"model\.depth=-1: expected a whole number of at least 0"),
        ({"convolutions": 0}, r"model\.convolutions=0: expected a whole number of at least 1"),
    ],
)
def test_wrong_shape_of_fast_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        Fast(**options)
