"""Nets of one's own: what they are given, what is refused, and that everything works with them."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from torch import nn

import my_nets
from fer_lightning.commands import summary
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.models import count_parameters
from fer_lightning.training.build import build_data, build_module, check_parts
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.network import build_model
from fer_lightning.training.rehearsal import rehearse
from training_runs import save


def node(name: str, *more: str):
    words = ["model=custom", f"model._target_=my_nets.{name}", *more]
    config = compose_config(words)
    check_config(config)
    return config


def built(name: str, *more: str) -> nn.Module:
    return build_model(node(name, *more).model, image_size=48, num_classes=5, in_channels=1)


def test_a_target_gets_of_the_sizes_those_that_it_names_and_its_own_keys():
    net = built("Net", "model.width=3")
    assert isinstance(net, my_nets.Net)
    assert (net.enter.out_channels, net.leave.out_features) == (3, 5)
    residual = build_model(node("Residual").model, image_size=48, num_classes=5, in_channels=3)
    assert (residual.stem.in_channels, residual.fc.out_features) == (3, 5)
    assert built("Patches").position.shape == (1, 16, 16)  # 48 / 12 in both directions


def test_a_target_with_options_of_any_name_gets_those_that_the_configuration_names():
    assert built("anything").leave.out_features == 10
    assert built("anything", "model.num_classes=null", "model.width=3").leave.out_features == 5


def test_a_function_with_a_lazy_layer_is_complete():
    net = built("lazy")
    assert net[3].weight.shape == (5, 4 * 12 * 12)
    assert net.training


def test_the_net_is_the_one_that_its_constructor_makes():
    torch.manual_seed(4)
    found = built("Net", "model.width=6")
    torch.manual_seed(4)
    expected = my_nets.Net(5, 6)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), expected.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("Net", ["model.widht=3"], "model.widht: no such key; did you mean model.width?"),
        ("Net", ["model.width=wide"], "model.width=wide: expected a whole number"),
        ("Net", ["model.num_classes=3"], "model.num_classes=3: the data have 7"),
        ("demanding", ["model.width=2"], "model: my_nets.demanding needs depth; expected model.depth=…"),
        ("number", [], "model: my_nets.number returns int; expected an nn.Module"),
        ("absent", [], "model._target_=my_nets.absent: cannot be imported"),
        (
            "functional.__name__",
            [],
            "model._target_=my_nets.functional.__name__: expected a class or a function",
        ),
        ("Net", ["model.match=small", "model.freeze=9"], "model.freeze=9: the net has 3 parts"),
        (
            "Net",
            ["model.freeze=[mittle]"],
            "model.freeze=mittle: no such part with parameters; did you mean middle?",
        ),
        ("Patches", ["model.match=small"], "my_nets.Patches: embed_dim must be divisible by num_heads"),
        ("lazy", ["augmentation=crop"], "augmentation.crop=40: Sequential takes images of 48 pixels only"),
    ],
)
def test_a_mistake_is_one_line(name, words, message):
    def begun() -> None:
        config = node(name, *words)
        check_parts(config)
        build_model(config.model, image_size=48, num_classes=7)

    with pytest.raises(ConfigError) as caught:
        begun()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_target_the_key_is_named():
    with pytest.raises(
        ConfigError, match=re.escape("model._target_: has no value; expected model._target_=…")
    ):
        check_config(compose_config(["model=custom"]))


def test_other_models_take_no_keys_but_their_own():
    with pytest.raises(ConfigError, match=r"model\.width: no such key"):
        compose_config(["model=small", "model.width=3"])


def test_a_crop_goes_with_a_net_that_takes_any_size():
    check_parts(node("Net", "augmentation=crop"))


def test_channels_last_is_named_where_it_is_in_the_way(tiny):
    config = compose_config([*tiny, "model=custom", "model._target_=my_nets.Viewed"])
    data = build_data(config)
    with pytest.raises(ConfigError, match=r"view size is not compatible.*Or set channels_last=false"):
        rehearse(build_module(config, data, {}), data)
    config.channels_last = False
    rehearse(build_module(config, data, {}), data)


def test_summary_shows_any_net(capsys):
    assert summary.main(["model=custom", "model._target_=my_nets.Residual", "model.width=4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    total = count_parameters(my_nets.Residual(1, 7, 4)).total
    assert any(line.split()[0] == f"{total:,}" for line in lines if line)
    assert any(line.startswith("layer2.1.conv2") for line in lines)


def test_summary_says_in_a_line_what_a_net_cannot_take():
    words = ["model._target_=torch.nn.Conv2d", "model.out_channels=2", "model.kernel_size=99"]
    with pytest.raises(ConfigError, match=r"model: Conv2d cannot take a picture of \[1, 1, 48, 48\]: .*size"):
        summary.main(["model=custom", *words])


def test_widths_are_scaled_to_another_models_size():
    goal = 61_639  # small, at 48 pixels and seven classes
    net = build_model(node("Net", "model.match=small").model, image_size=48, num_classes=7)
    assert abs(count_parameters(net).total - goal) <= 0.01 * goal
    own = count_parameters(net).total
    again = build_model(node("Net", "model.match=my_nets.Net").model, image_size=48, num_classes=7)
    assert again.enter.out_channels == 8
    dense = build_model(
        compose_config(["model=dnn", f"model.match={own}"]).model, image_size=48, num_classes=7
    )
    assert abs(count_parameters(dense).total - own) <= 0.01 * own


def test_a_checkpoint_brings_its_net_back_where_it_can_be_imported(tmp_path, tiny, monkeypatch):
    path = tmp_path / "own.ckpt"
    made = save(path, [*tiny, "model=custom", "model._target_=my_nets.Net", "model.width=3"])
    faces = torch.rand(2, 1, 48, 48) * 255
    torch.testing.assert_close(load_classifier(path)(faces), made(faces))
    monkeypatch.setitem(sys.modules, "my_nets", None)
    with pytest.raises(
        DataError, match=r"own\.ckpt: its net cannot be built: model\._target_=my_nets\.Net"
    ) as caught:
        load_classifier(path)
    assert "\n" not in str(caught.value)
