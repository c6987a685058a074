"""LIME: exact on a model that is linear in the superpixels, and it finds the region a network reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

import fer_lightning.conf
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.lime_explanation import Lime
from fer_lightning.plots.lime import plot_lime, row_limit
from fer_lightning.runs.confusion_counts import Confusion
from fer_lightning.training.construct import build


class LinearInPixels(nn.Module):
    """Logits that are linear in grey levels, so that they are linear in the superpixels too."""

    def __init__(self, classes: int = 3, size: int = 24) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(classes, size * size, generator=generator) / 1000)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T


class Mouth(nn.Module):
    """Class 1 is the brightness of rows 16 to 23 and columns 6 to 18 of 24; nothing else counts."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.05))

    def forward(self, images: Tensor) -> Tensor:
        mouth = images[:, 0, 16:23, 6:18].mean((1, 2)) - 128
        return torch.stack([torch.zeros_like(mouth), self.scale * mouth], dim=1)


def face(seed: int = 0, size: int = 24) -> Tensor:
    # Even patches with noise: SLIC has something to follow.
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randint(40, 215, (1, size // 4, size // 4), generator=generator).float()
    return patches.repeat_interleave(4, 1).repeat_interleave(4, 2)


def test_the_configuration_is_the_default():
    path = Path(fer_lightning.conf.__file__).parent / "lime" / "default.yaml"
    assert vars(build(OmegaConf.load(path))) == vars(Lime())


def test_the_coefficients_of_a_linear_model_are_recovered_exactly():
    model, image = LinearInPixels(), face()
    found = Lime(superpixels=16, target="logit", ridge=0, fill="black")(model, image)
    weights = model.weight.detach().double().numpy() * image.double().flatten().numpy()
    expected = np.stack(
        [weights[:, (found.segments == s).ravel()].sum(1) for s in range(found.segments.max() + 1)], axis=1
    )
    assert found.weights == pytest.approx(expected, abs=1e-4)
    assert found.r2 == pytest.approx(1, abs=1e-6)
    assert found.stability == pytest.approx(1)
    assert found.samples == 30 * (found.segments.max() + 1)
    assert found.map(2)[5, 7] == found.weights[2, found.segments[5, 7]]


def test_the_fill_is_what_a_superpixel_is_compared_with():
    model, image = LinearInPixels(), face()
    found = Lime(superpixels=16, target="logit", ridge=0, fill="mean")(model, image)
    difference = (image - image.mean()).double().flatten().numpy()
    weights = model.weight.detach().double().numpy() * difference
    first = weights[:, (found.segments == 0).ravel()].sum(1)
    assert found.weights[:, 0] == pytest.approx(first, abs=1e-4)
    assert found.fill == "each image's mean"


def test_a_network_that_reads_the_mouth_is_found_out():
    image = torch.full((1, 24, 24), 60.0)
    image[:, 16:23, 6:18] = 200.0
    found = Lime(superpixels=16)(Mouth(), image)
    inside = np.zeros((24, 24), bool)
    inside[16:23, 6:18] = True
    share = np.array([inside[found.segments == s].mean() for s in range(found.segments.max() + 1)])
    # Every superpixel in the mouth speaks for class 1, and more than any outside, on which nothing depends.
    assert found.weights[1, share == 0] == pytest.approx(0, abs=0.02)
    assert found.weights[1, share > 0.5].min() > 0.1
    assert found.weights[0] == pytest.approx(-found.weights[1])  # two probabilities sum to 1
    assert found.probabilities[1] > 0.9


def test_the_seed_decides_and_the_model_is_left_alone():
    model, image = Mouth().train(), face(3)
    lime = Lime(superpixels=9, samples_per_superpixel=5)
    state = torch.get_rng_state()
    one, again = lime(model, image), lime(model, image)
    other = Lime(superpixels=9, samples_per_superpixel=5, seed=1)(model, image)
    assert np.array_equal(one.weights, again.weights)
    assert not np.array_equal(one.weights, other.weights)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert model.scale.requires_grad


class Blind(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.bias.expand(len(images), 2)


def test_a_network_that_sees_nothing_has_no_weights_and_no_stability():
    found = Lime(superpixels=9, samples_per_superpixel=4)(Blind(), face())
    assert found.weights == pytest.approx(0, abs=1e-12)
    assert np.isnan(found.stability).all()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"fill": "pink"}, r"lime\.fill=pink: expected mean, blur, black"),
        ({"superpixels": 1}, r"lime\.superpixels=1: expected a whole number of at least 2"),
        ({"target": "loss"}, r"lime\.target=loss: expected one of probability, logit"),
        ({"kernel_width": 0}, r"lime\.kernel_width=0: expected a number above 0"),
        ({"ridge": -1}, r"lime\.ridge=-1"),
    ],
)
def test_wrong_options_are_refused(option, message):
    with pytest.raises(ConfigError, match=message):
        Lime(**option)


def test_a_batch_is_refused():
    with pytest.raises(DataError, match=r"shape \(2, 1, 8, 8\): expected \[1, H, W\]"):
        Lime()(Mouth(), torch.zeros(2, 1, 8, 8))


def test_the_figure_has_a_map_for_each_class_on_one_scale_and_says_fill_and_stability():
    matrix = Confusion(np.array([[3, 1], [2, 2]]), ("calm", "glad"))
    found = [Lime(superpixels=9, samples_per_superpixel=5, fill="blur")(Mouth(), face(s)) for s in (0, 1)]
    figure = plot_lime(found, [0, 1], matrix, title="toy")
    figure.draw_without_rendering()
    words = [text.get_text().replace("\n", " ") for text in figure.texts]
    assert words[0] == "toy"
    assert "superpixels covered with the blurred image" in words[1]
    assert "two draws of about" in words[1]
    # A row: the face, two maps, the confusion row; and the colour bar at last.
    maps = [ax for ax in figure.axes if len(ax.images) == 3]
    assert len(maps) == 4
    assert np.array_equal(maps[1].images[1].get_array(), found[0].map(1))
    assert [ax.images[1].get_clim()[1] for ax in maps[:2]] == [row_limit(found[0])] * 2
    captions = [text.get_text() for ax in figure.axes for text in ax.texts if "ρ" in text.get_text()]
    assert len(captions) == 2
    bars = [ax for ax in figure.axes if ax.patches and not ax.images]
    assert [bar.get_width() for bar in bars[0].patches] == [75, 25]
