"""Gradient ascent, repeated filters, top faces and feature maps, on nets whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.activation_maximization import gradient_ascent
from fer_lightning.explain.duplicate_filters import repeated_filters, similarities
from fer_lightning.explain.layer_outputs import feature_maps
from fer_lightning.explain.layers import activation_of
from fer_lightning.explain.own_maps import own_maps
from fer_lightning.explain.pre_activation import filter_layers, pre_activation
from fer_lightning.explain.top_faces import top_faces
from fer_lightning.models import CNN, DNN, Small

SIZE = 20


class Toy(nn.Module):
    """A normalization, a convolution with given 5×5 kernels, a rectifier and a linear layer on the means."""

    def __init__(self, kernels: torch.Tensor, classes: int = 3) -> None:
        super().__init__()
        conv = nn.Conv2d(1, len(kernels), 5)
        with torch.no_grad():
            conv.weight.copy_(kernels[:, None])
            conv.bias.zero_()
        self.features = nn.Sequential(conv, nn.ReLU())
        self.output = nn.Linear(len(kernels), classes)

    def forward(self, images):
        return self.output(self.features(images / 127.5 - 1).mean(dim=(2, 3)))


def correlation(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def drawn_kernels(count, seed=0):
    return torch.randn(count, 5, 5, generator=torch.Generator().manual_seed(seed)).clamp(-1.5, 1.5)


def state(model):
    return [each.clone() for each in model.state_dict().values()], [each.training for each in model.modules()]


def assert_same_state(model, before):
    values, modes = before
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), values, strict=True))
    assert [each.training for each in model.modules()] == modes
    assert all(each.requires_grad and each.grad is None for each in model.parameters())


def test_the_central_unit_shows_a_planted_pattern_where_it_looks():
    kernels = drawn_kernels(6)
    found = gradient_ascent(Toy(kernels), "features.0", SIZE, objective="unit", smooth=0.0)
    centre = (SIZE - 4) // 2
    assert found.box == (centre, centre + 5, centre, centre + 5)
    assert min(correlation(a, b) for a, b in zip(found.patterns, kernels, strict=True)) > 0.97
    # On the sphere of the allowed contrast a linear unit reaches |w| · 5 · 64 grey levels at most.
    highest = kernels.flatten(1).norm(dim=1) * 5 * 64 / 127.5
    assert found.activation == pytest.approx(highest.numpy(), rel=0.05)
    assert (found.activation > found.start).all()


@pytest.mark.parametrize("angle", [0.3, 0.9, 1.57, 2.2])
def test_an_oriented_wave_fills_the_image(angle):
    rows, columns = torch.meshgrid(torch.arange(5.0) - 2, torch.arange(5.0) - 2, indexing="ij")
    kernel = torch.cos((columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / 5)
    kernel = kernel - kernel.mean()
    model = Toy(kernel[None])
    found = gradient_ascent(model, "features.0", SIZE, smooth=0.0)
    maps = model.features(torch.from_numpy(found.images)[:, None] / 127.5 - 1)[0, 0]
    top, left = divmod(int(maps.argmax()), maps.shape[1])
    assert correlation(found.images[0, top : top + 5, left : left + 5], kernel) > 0.9
    assert found.box == (0, SIZE, 0, SIZE)
    assert found.activation[0] == pytest.approx(maps.mean().item(), rel=1e-5)


def test_activation_and_the_largest_of_faces_are_what_a_forward_pass_gives():
    model, faces = Small(), torch.rand(7, 1, 48, 48) * 255
    found = gradient_ascent(
        model, "features.block2.conv", 48, filters=[3, 30], steps=3, faces=faces, batch_size=2
    )
    block = model.eval().features.block2

    def mean_activation(images):
        return torch.relu(block.norm(block.conv(model.features.block1(images)))).mean(dim=(2, 3))

    with torch.no_grad():
        own = mean_activation(torch.from_numpy(found.images)[:, None])
        assert found.activation == pytest.approx(own[[0, 1], [3, 30]].numpy(), rel=1e-4)
        assert found.faces == pytest.approx(mean_activation(faces)[:, [3, 30]].amax(0).numpy(), rel=1e-4)
    assert found.filters.tolist() == [3, 30]


@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_filters_own_map_is_that_of_the_whole_layer(normed, stride):
    conv, norm = nn.Conv2d(1, 6, 5, stride=stride, padding=2), nn.BatchNorm2d(6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    model = (nn.Sequential(conv, norm, nn.ReLU()) if normed else nn.Sequential(conv, nn.ReLU())).eval()
    behind = norm if normed else conv
    images, filters = torch.rand(3, 1, SIZE, SIZE), torch.tensor([4, 0, 4])
    found = own_maps(model, conv, behind, images, filters, "0")
    assert torch.allclose(found, activation_of(model, behind, images)[range(3), filters], atol=1e-5)


def test_many_filters_a_pass_give_what_one_filter_a_pass_gives():
    model = Small()
    options = {"steps": 4, "jitter": 2, "seed": 5}
    together = gradient_ascent(model, "features.block1.conv", 48, **options)
    alone = gradient_ascent(model, "features.block1.conv", 48, filters=[9], **options)
    assert together.images[9] == pytest.approx(alone.images[0], abs=0.05)


def test_a_filter_without_a_gradient_is_called_stuck_and_others_are_not():
    model = Toy(torch.stack([torch.zeros(5, 5), torch.ones(5, 5)]))
    found = gradient_ascent(model, "features.0", SIZE, steps=3)
    assert found.stuck.tolist() == [True, False]
    assert found.activation[0] == found.start[0] == 0
    assert 0 < np.std(found.images[0]) < 10  # the starting noise, unchanged


def test_a_filter_that_noise_leaves_silent_is_still_climbed():
    model = Toy(drawn_kernels(1))
    nn.init.constant_(model.features[0].bias, -2.0)
    found = gradient_ascent(model, "features.0", SIZE, smooth=0.0)
    assert found.start[0] == 0
    assert found.activation[0] > 0.1
    assert not found.stuck[0]


def test_a_norm_that_turns_a_filter_over_is_heeded():
    model = nn.Sequential(nn.Conv2d(1, 1, 5), nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    with torch.no_grad():
        model(torch.zeros(1, 1, SIZE, SIZE))
        model[1].weight.fill_(-1.0)
        model[1].running_mean.zero_()
    assert pre_activation(model, "0") is model[1]
    found = gradient_ascent(model, "0", SIZE, objective="unit", smooth=0.0)
    assert correlation(found.patterns[0], model[0].weight.detach().numpy()) < -0.9


def test_ascent_is_the_same_for_the_same_seed_and_leaves_no_trace():
    model = Small()
    before = state(model)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, second, other = (
        gradient_ascent(model, "features.block2.conv", 48, filters=range(4), steps=2, seed=seed)
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first.images, second.images)
    assert not np.array_equal(first.images, other.images)
    assert_same_state(model, before)
    assert torch.equal(torch.rand(1), expected)


def test_other_sizes_and_dense_layers_work_too():
    model = Small(image_size=64, num_classes=3)
    found = gradient_ascent(model, "features.block3.conv", 64, filters=range(3), steps=2)
    assert found.images.shape == (3, 64, 64)
    logits = gradient_ascent(model, "classifier.output", 64, steps=2)
    assert logits.images.shape == (3, 64, 64)
    assert (logits.activation >= logits.start).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"lr": 0.0},
        {"contrast": -1.0},
        {"smooth": -0.1},
        {"objective": "mean"},
        {"filters": [99]},
        {"jitter": 48},
        {"objective": "unit", "jitter": 2},
        {"batch_size": 0},
    ],
)
def test_wrong_options_are_one_clear_line(wrong):
    with pytest.raises(ConfigError, match=next(iter(reversed(wrong)))):
        gradient_ascent(Small(), "features.block1.conv", 48, **wrong)


def test_a_net_without_convolutions_has_no_filters():
    with pytest.raises(ConfigError, match="no convolution"):
        filter_layers(DNN())
    with pytest.raises(ConfigError, match="no convolution"):
        feature_maps(DNN(), torch.zeros(48, 48))


def test_layers_are_spread_from_the_first_to_the_last():
    names = [f"features.block{number}.conv" for number in range(1, 6)]
    assert filter_layers(CNN(), 3) == [names[0], names[2], names[4]]
    assert filter_layers(CNN(), 1) == names[:1]
    assert filter_layers(CNN(), 9) == names


def test_a_duplicated_filter_is_grouped_and_others_are_not():
    kernels = drawn_kernels(8)
    kernels[6] = kernels[2] * 0.5  # the same at less contrast
    found = gradient_ascent(Toy(kernels), "features.0", SIZE, objective="unit", smooth=0.0)
    assert repeated_filters(found.patterns, threshold=0.9) == [[2, 6]]


def test_shifted_and_negated_patterns_are_told_as_asked():
    pattern = np.zeros((4, 9, 9))
    pattern[0, 2:5, 2:5] = np.random.default_rng(0).normal(size=(3, 3))
    pattern[1] = np.roll(pattern[0], (1, -1), axis=(0, 1))
    pattern[2] = -pattern[0]
    assert repeated_filters(pattern, shift=0) == []
    assert repeated_filters(pattern, shift=1) == [[0, 1]]
    assert repeated_filters(pattern, shift=1, ignore_sign=True) == [[0, 1, 2]]
    alike = similarities(pattern, shift=1)
    assert alike[0, 1] == pytest.approx(1, abs=0.02)
    assert alike[3].tolist() == [0, 0, 0, 1]  # no contrast, like no other


def test_a_chain_of_small_differences_makes_no_group_of_its_ends():
    angles = np.deg2rad([0, 30, 60])
    patterns = np.stack([np.array([[np.cos(a), np.sin(a)], [-np.cos(a), -np.sin(a)]]) for a in angles])
    assert similarities(patterns, shift=0)[0] == pytest.approx(np.cos(angles))
    (group,) = repeated_filters(patterns, threshold=0.8, shift=0)
    assert len(group) == 2


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"threshold": 1.1}, {"shift": 5}])
def test_wrong_thresholds_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        repeated_filters(np.zeros((2, 5, 5)), **wrong)


def batches_of(images, labels, size):
    positions = torch.arange(len(images)) + 100
    return list(zip(images.split(size), labels.split(size), positions.split(size), strict=True))


def test_top_faces_and_effects_equal_brute_force_over_the_whole_set():
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(53, 1, 48, 48, generator=generator) * 255).byte()
    labels = torch.randint(3, (53,), generator=generator)
    model = Small(num_classes=3)
    before = state(model)
    found = top_faces(model, "features.block2.conv", batches_of(images, labels, 10), ["a", "b", "c"], count=5)
    assert_same_state(model, before)
    block = model.eval().features.block2
    with torch.no_grad():
        maps = block.norm(block.conv(model.features.block1(images.float())))
    values = torch.relu(maps).mean(dim=(2, 3)).double().numpy()
    for k in range(values.shape[1]):
        order = np.argsort(-values[:, k], kind="stable")[:5]
        assert found.positions[k].tolist() == (order + 100).tolist()
        assert found.labels[k].tolist() == labels.numpy()[order].tolist()
        groups = [values[labels.numpy() == label, k] for label in range(3)]
        assert found.means[k] == pytest.approx([group.mean() for group in groups], rel=1e-4)
        best = int(np.argmax([group.mean() for group in groups]))
        rest = np.concatenate([groups[label] for label in range(3) if label != best])
        n, m = len(groups[best]), len(rest)
        pooled = ((n - 1) * groups[best].var(ddof=1) + (m - 1) * rest.var(ddof=1)) / (n + m - 2)
        assert found.preferred[k] == best
        difference = groups[best].mean() - rest.mean()
        effect = difference / pooled**0.5 if pooled > 0 else 0.0  # 0 for a filter that no face drives
        assert found.effect[k] == pytest.approx(effect, rel=1e-3)
    assert (found.effect > 0).sum() > 20
    assert found.counts.tolist() == np.bincount(labels.numpy()).tolist()


def test_a_filter_is_named_after_the_class_that_it_is_made_for():
    kernels = torch.stack([torch.ones(5, 5), -torch.ones(5, 5), torch.zeros(5, 5)]) / 25
    noise = torch.randn(30, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 3
    images = 127.5 + 10 * noise + 60 * (labels == 1).float()[:, None, None, None]
    found = top_faces(Toy(kernels), "features.0", batches_of(images, labels, 7), ["dark", "bright", "empty"])
    assert found.name(0) == "bright"
    assert found.effect[0] > 5
    assert set(found.labels[0].tolist()) == {1}
    assert found.name(2) == ""
    assert found.effect[2] == 0
    assert not np.isin(1, found.labels[1])


def test_a_class_without_faces_is_never_preferred():
    images, labels = torch.rand(6, 1, SIZE, SIZE) * 255, torch.tensor([0, 0, 0, 2, 2, 2])
    found = top_faces(
        Toy(drawn_kernels(4)), "features.0", batches_of(images, labels, 4), ["a", "b", "c"], count=9
    )
    assert found.positions.shape == (4, 6)
    assert np.isnan(found.means[:, 1]).all()
    assert not (found.preferred == 1).any()


def test_no_faces_is_an_error():
    with pytest.raises(DataError, match="no faces"):
        top_faces(Small(), "features.block1.conv", [], ["a", "b", "c"])
    with pytest.raises(ConfigError, match="count=0"):
        top_faces(Small(), "features.block1.conv", [], ["a", "b", "c"], count=0)


def test_feature_maps_equal_a_forward_pass_by_hand():
    model, face = Small(image_size=64), torch.rand(64, 64) * 255
    before = state(model)
    maps = feature_maps(model, face)
    assert_same_state(model, before)
    model.eval()
    with torch.no_grad():
        expected = face[None, None]
        for name, block in model.features.named_children():
            expected = block(expected)
            assert np.array_equal(maps[f"features.{name}"], expected[0].numpy())
    assert list(maps) == ["features.block1", "features.block2", "features.block3"]
    chosen = feature_maps(model, face, ["features.block2.conv"])["features.block2.conv"]
    with torch.no_grad():
        block1 = model.features.block1(face[None, None])
        assert np.array_equal(chosen, model.features.block2.conv(block1)[0].numpy())


def test_feature_maps_of_what_has_none_are_refused():
    with pytest.raises(ConfigError, match=r"layer=classifier\.output: it puts out no maps"):
        feature_maps(Small(), torch.zeros(48, 48), ["classifier.output"])
    with pytest.raises(ConfigError, match="expected one face"):
        feature_maps(Small(), torch.zeros(2, 1, 48, 48))
