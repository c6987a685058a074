"""Layers by name, truncated passes, and a look that leaves no trace."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.explain.layers import activation_of, convolutions, find_layer, recorded
from fer_lightning.explain.undisturbed import undisturbed
from fer_lightning.models import Small


def test_convolutions_come_from_first_to_last():
    model = Small()
    assert list(convolutions(model)) == [f"features.block{number}.conv" for number in (1, 2, 3)]


def test_a_truncated_pass_gives_the_layers_output_and_computes_nothing_behind_it():
    model = Small().eval()
    images = torch.rand(2, 1, 48, 48)
    layer = find_layer(model, "features.block2.conv")
    with recorded({"second": layer, "third": find_layer(model, "features.block3.conv")}) as outputs:
        found = activation_of(model, layer, images)
        assert "third" not in outputs
    model(images)
    assert torch.equal(found, layer(model.features.block1(images)))
    assert not layer._forward_hooks


def test_an_unknown_layer_is_named_with_the_nearest():
    with pytest.raises(
        ConfigError, match=r"layer=features\.blok2\.conv: no such layer; did you mean features"
    ):
        find_layer(Small(), "features.blok2.conv")


def test_a_layer_that_is_not_reached_is_refused():
    model = Small().eval()
    with pytest.raises(ConfigError, match="does not go through"):
        activation_of(model, nn.Conv2d(1, 1, 1), torch.rand(1, 1, 48, 48))


def seed_everything():
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002


def drawn():
    return torch.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002


def fail_midway(model):
    with undisturbed(model):
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())
        drawn()
        model.train()(torch.rand(4, 1, 48, 48))  # moves the running statistics
        raise RuntimeError("midway")


def test_a_look_restores_modes_gradients_buffers_and_random_states_even_after_an_error():
    model = Small()
    model.features.eval()
    model.classifier.requires_grad_(False)
    model.features.block1.conv.weight.grad = torch.ones_like(model.features.block1.conv.weight)
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    buffers = [buffer.clone() for buffer in model.buffers()]
    seed_everything()
    expected = drawn()
    seed_everything()
    with pytest.raises(RuntimeError, match="midway"):
        fail_midway(model)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wanted
    assert torch.equal(
        model.features.block1.conv.weight.grad, torch.ones(1).expand_as(model.features.block1.conv.weight)
    )
    assert all(torch.equal(now, before) for now, before in zip(model.buffers(), buffers, strict=True))
    assert drawn() == expected
