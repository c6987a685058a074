"""Parts of a net by depth: what is frozen, and how fast each part learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD

import my_nets
from fer_lightning.errors import ConfigError
from fer_lightning.models import Fast, Small
from fer_lightning.training.depth import freeze, parts_of, with_layer_decay
from fer_lightning.training.muon import Muon


class Wrapped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)


SMALL = ["features.block1", "features.block2", "features.block3", "classifier.dense1", "classifier.output"]


@pytest.mark.parametrize(
    ("net", "names"),
    [
        (Small(), SMALL),
        (Wrapped(Small()), [f"net.{name}" for name in SMALL]),
        (my_nets.Net(7), ["enter", "middle", "leave"]),  # the norm belongs to what it follows
        (my_nets.Patches(48, 7), ["embed", "blocks", "head"]),  # with the position embedding in the first
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2)), ["0", "3"]),
        (Fast(), ["features.stem", "features.stage1", "features.stage2", "features.stage3", "classifier.output"]),
    ],
)  # fmt: skip
def test_parts_from_the_input_to_the_head_hold_every_parameter_once(net, names):
    parts = parts_of(net)
    assert [part.name for part in parts] == names
    held = [name for part in parts for name in part.parameters]
    assert sorted(held) == sorted(name for name, _ in net.named_parameters())


def test_direct_parameters_belong_to_the_first_part():
    assert "position" in parts_of(my_nets.Patches(48, 7))[0].parameters


@pytest.mark.parametrize("asked", [2, ["features.block1", "features.block2"]])
def test_what_is_frozen_keeps_its_weights_and_its_norms_whoever_trains_the_net(asked):
    net = Small()
    freeze(net, asked)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    optimizer = SGD([each for each in net.parameters() if each.requires_grad], 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.rand(8, 1, 48, 48)).square().sum().backward()
        optimizer.step()
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if not name.startswith(("features.block1", "features.block2"))}


def test_a_frozen_part_in_training_gives_what_it_gives_in_evaluation():
    net = Small(dropout=0.5)
    freeze(net, ["features"])
    faces = torch.rand(4, 1, 48, 48)
    net.eval()
    expected = net.features(faces)
    net.train()
    assert torch.equal(net.features(faces), expected)


def test_freezing_everything_is_refused():
    with pytest.raises(
        ConfigError, match=r"model\.freeze=\['features', 'classifier'\]: nothing is left to train"
    ):
        freeze(Small(), ["features", "classifier"])


@pytest.mark.parametrize(
    "make", [lambda each: SGD(each, lr=0.8), lambda each: Muon(each, lr=0.8, other_lr=0.8)]
)
def test_the_rate_falls_with_the_distance_from_the_head(make):
    net = Small()
    optimizer = with_layer_decay(make, net, 0.5)(list(net.parameters()))
    rates = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    found = {name: rates[id(each)] for name, each in net.named_parameters()}
    assert {round(found[f"{name}.{end}"], 6) for name in SMALL[:3] for end in ("conv.weight", "norm.bias")} == {
        0.05, 0.1, 0.2,
    }  # fmt: skip
    assert found["features.block1.conv.weight"] == pytest.approx(0.8 * 0.5**4)
    assert found["classifier.dense1.linear.weight"] == pytest.approx(0.4)
    assert found["classifier.output.bias"] == pytest.approx(0.8)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(net.parameters()))


def test_a_step_moves_each_part_by_its_rate():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        for each in net.parameters():
            each.fill_(1.0)
    optimizer = with_layer_decay(lambda each: SGD(each, lr=0.1), net, 0.25)(net.parameters())
    net(torch.ones(1, 1)).sum().backward()  # both gradients are 1
    optimizer.step()
    assert net[0].weight.item() == pytest.approx(1 - 0.025)
    assert net[1].weight.item() == pytest.approx(1 - 0.1)
