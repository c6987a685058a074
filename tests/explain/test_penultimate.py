"""The features of the penultimate layer: which layer that is, what it gets, and groups of faces by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.model_slices import grouped_faces
from fer_lightning.explain.penultimate import last_layer, penultimate_features
from fer_lightning.models import Small
from fer_lightning.runs.predictions import Predictions


def batches(images: torch.Tensor, size: int = 4):
    for part in images.split(size):
        yield part, torch.zeros(len(part)), torch.zeros(len(part))


@pytest.fixture
def images():
    return torch.randint(0, 256, (10, 1, 48, 48), generator=torch.Generator().manual_seed(0)).byte()


def test_they_are_what_the_output_layer_gets(images):
    torch.manual_seed(0)
    net = Small(image_size=48, num_classes=7, in_channels=1).train()
    found = penultimate_features(net, batches(images))
    assert last_layer(net, images[:1].float()) == "classifier.output"
    assert net.training
    assert not any(module._forward_pre_hooks for module in net.modules())
    net.eval()
    with torch.no_grad():
        expected = net(images.float())
        output = net.get_submodule("classifier.output")
        again = output(torch.from_numpy(found))
    assert found.shape == (10, 64)
    assert torch.allclose(again, expected, atol=1e-3)


def test_the_last_layer_counts_by_the_pass_not_by_the_order_of_its_definition(images):
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.output = nn.Linear(5, 3)
            self.first = nn.Linear(48 * 48, 5)
            self.unused = nn.Linear(3, 3)

        def forward(self, levels: torch.Tensor) -> torch.Tensor:
            return self.output(self.first(levels.flatten(1))).log_softmax(1)

    net = Turned()
    found = penultimate_features(net, batches(images))
    with torch.no_grad():
        assert np.allclose(found, net.first(images.float().flatten(1)).numpy(), atol=1e-3)


def test_maps_and_sequences_are_averaged_over_their_positions(images):
    maps = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Conv2d(6, 7, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        expected = maps[0](images.float()).mean(dim=(2, 3))
    assert np.allclose(penultimate_features(maps, batches(images)), expected, atol=1e-2)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.output = nn.Linear(48, 3)

        def forward(self, levels: torch.Tensor) -> torch.Tensor:
            return self.output(levels[:, 0]).mean(dim=1)

    expected = images[:, 0].float().mean(dim=1)
    assert np.allclose(penultimate_features(Tokens(), batches(images)), expected)


def test_a_net_with_one_layer_gives_its_pixels_and_one_without_is_refused(images):
    net = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 7))
    assert np.array_equal(penultimate_features(net, batches(images)), images.flatten(1).float())
    with pytest.raises(ConfigError, match="no layer with a matrix of weights"):
        penultimate_features(nn.Flatten(), batches(images))
    with pytest.raises(DataError, match="no faces"):
        penultimate_features(net, [])


def test_a_layer_without_a_row_for_each_face_is_refused(images):
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.output = nn.Linear(4, 3)

        def forward(self, levels: torch.Tensor) -> torch.Tensor:
            return self.output(levels.flatten()[:4][None]).expand(len(levels), 3)

    with pytest.raises(ConfigError, match=r"output, gets .* expected a row for each of 4 faces"):
        penultimate_features(Mixed(), batches(images))


def test_degraded_faces_that_the_net_sees_as_alike_are_one_group(images):
    # Its two features are a face's mean level and a constant.
    net = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 2), nn.Linear(2, 7))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[1 / 48**2], [0.0]]).expand(2, 48**2))
        net[1].bias.copy_(torch.tensor([0.0, 60.0]))
    seen = images.repeat(8, 1, 1, 1)
    dark = np.arange(80) % 4 == 1
    seen[torch.from_numpy(dark)] = 3
    ids, labels = np.array([f"f{n}" for n in range(80)]), np.arange(80) % 7
    found = grouped_faces(net, batches(seen, 16), ids, labels, 2)
    own = set(found.group[dark])
    assert len(own) == 1
    assert not own & set(found.group[~dark])
    levels = seen.numpy().reshape(80, -1).astype(np.float64)
    assert np.allclose(found.levels, np.stack((levels.mean(1), levels.std(1)), 1), atol=1e-3)
    order = np.array([5, 0, 79])
    some = Predictions(np.zeros((3, 7), np.float32), labels[order], ids[order])
    assert found.rows_of(some).tolist() == [5, 0, 79]
    with pytest.raises(DataError, match="no face f0 with the label"):
        found.rows_of(Predictions(np.zeros((1, 7), np.float32), np.array([3]), ids[:1]))
