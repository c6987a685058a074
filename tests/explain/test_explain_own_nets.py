"""Nets of any kind are explained by their structure, and what one lacks is said in a line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import my_nets
from fer_lightning.commands.explain import main
from fer_lightning.errors import ConfigError
from fer_lightning.explain.layer_outputs import block_layers, feature_maps
from fer_lightning.explain.layers import convolutions, recorded
from fer_lightning.explain.pre_activation import filter_layers
from fer_lightning.explain.saliency_methods.grad_cam import last_maps
from fer_lightning.explain.saliency_methods.methods import METHODS, attributions
from fer_lightning.explain.unit_watch import dead_units
from fer_lightning.models import CNN, VGG16, Fast, Small
from training_runs import save

FACES = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 255


@pytest.mark.parametrize(
    ("net", "names"),
    [
        (Small(), [f"features.block{number}" for number in (1, 2, 3)]),
        (CNN(), [f"features.block{number}" for number in (1, 2, 3, 4, 5)]),
        (Fast(), ["features.stem", *(f"features.stage{number}" for number in (1, 2, 3))]),
        (VGG16(), [f"features.block{number}" for number in (1, 2, 3, 4, 5)]),
        (my_nets.Residual(1, 7), ["stem", "layer1", "layer2"]),  # in the order of the pass
        (my_nets.Net(7), ["enter", "middle"]),
        (nn.Sequential(my_nets.lazy(7)), ["0.0"]),
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)), nn.Flatten()), ["0.0", "0.1"]),
    ],
)  # fmt: skip
def test_blocks_are_the_outermost_modules_that_part_the_convolutions(net, names):
    assert block_layers(net, FACES[:1]) == names
    assert list(feature_maps(net, FACES[:1])) == names


def test_convolutions_come_in_the_order_of_the_pass_where_there_is_one():
    net = my_nets.Residual(1, 7)
    assert next(iter(convolutions(net))) == "layer2.0.conv1"
    passed = list(convolutions(net, FACES))
    assert passed[0] == "stem"
    assert filter_layers(net, 2, FACES) == ["stem", "layer2.1.conv2"]
    net.unused = nn.Conv2d(1, 1, 1)
    assert list(convolutions(net, FACES)) == passed


def test_what_is_recorded_is_what_a_layer_gave_before_others_worked_in_place():
    net = my_nets.Residual(1, 7).eval()
    conv = net.layer1[0].conv1
    with torch.no_grad(), recorded({"conv": conv, "stem": net.stem}) as outputs:
        net(FACES)
    assert outputs["conv"].min() < 0
    assert torch.equal(outputs["conv"], conv(outputs["stem"]))


def test_grad_cam_takes_what_follows_the_last_convolution_of_the_pass():
    net = my_nets.Residual(1, 7).eval()
    assert last_maps(net, FACES) is net.layer2[1].relu
    plain = my_nets.Net(7).eval()
    assert last_maps(plain, FACES) is plain.middle
    for each in (net, plain):
        found = attributions(each, FACES, [0, 1, 2], "grad_cam").signed
        assert found.shape == (3, 48, 48)
        assert found.std() > 0


def test_grad_cam_behind_a_rectifier_of_several_places_is_that_of_the_last():
    """The maps of the last block and their gradient, by hand."""
    net = my_nets.Residual(1, 7).eval()
    maps = net.layer2(net.layer1(net.stem(FACES))).detach().requires_grad_()
    logits = net.fc(maps.mean(dim=(2, 3)))
    (gradient,) = torch.autograd.grad(logits[:, 4].sum(), maps)
    small = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True)
    expected = nn.functional.interpolate(small, (48, 48), mode="bilinear")[:, 0].detach()
    found = attributions(net, FACES, [4, 4, 4], "grad_cam").signed
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "grad_cam"])
def test_a_net_without_convolutions_has_every_other_saliency(method):
    net = my_nets.Patches(48, 7).eval()
    assert attributions(net, FACES[:1], [0], method).signed.shape == (1, 48, 48)


def test_a_rectifier_in_several_places_is_counted_in_each_of_them():
    net = my_nets.Residual(1, 7)
    with torch.no_grad():
        net.layer1[0].conv1.weight.zero_()
        net.layer1[0].conv1.bias.fill_(-1.0)  # dead in its first place only
    found = {layer.layer: layer for layer in dead_units(net, [FACES, FACES])}
    assert list(found)[-2:] == ["layer1.0.relu", "layer1.0.relu#2"]
    assert found["layer1.0.relu"].dead == 1
    assert found["layer1.0.relu#2"].dead < 1
    assert {layer.units for layer in found.values()} == {8}


def test_units_behind_a_dense_layer_on_tokens_are_its_outputs():
    net = my_nets.Patches(48, 7)
    with torch.no_grad():
        net.blocks.layers[0].linear1.weight[5:8].zero_()
        net.blocks.layers[0].linear1.bias[5:8] = -100.0
    first = dead_units(net, [FACES])[0]
    assert (first.units, first.positions) == (32, 32 * 16)
    assert (first.dead_units, first.dead_positions) == (3, 3 * 16)


def test_functions_as_activations_are_said_to_be_out_of_sight():
    with pytest.raises(
        ConfigError, match=r"no activation layer: .* functions such as torch\.relu cannot be watched"
    ):
        dead_units(my_nets.Net(7), [FACES])


@pytest.mark.parametrize("name", ["Net", "Patches"])
def test_the_page_is_made_and_names_what_a_net_lacks(tmp_path, tiny, capsys, name):
    save(tmp_path / "a.ckpt", [*tiny, "model=custom", f"model._target_=my_nets.{name}"])
    only = "only=[feature_maps,filters,dead_units,saliency]"
    words = [
        f"checkpoint={tmp_path / 'a.ckpt'}",
        f"output={tmp_path / 'page'}",
        only,
        "trust=false",
        "filters=2",
    ]
    assert main(words) == 0
    lines = {line.split(" ")[1].rstrip(":"): line for line in capsys.readouterr().out.splitlines()[:4]}
    lacks = {"Net": {"dead_units"}, "Patches": {"feature_maps", "filters"}}[name]
    assert {part for part, line in lines.items() if "left out (" in line} == lacks
    page = (tmp_path / "page" / "explanations.html").read_text(encoding="utf-8")
    assert ("grad_cam: needs a convolution, and this network has none" in page) == (name == "Patches")
