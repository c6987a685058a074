"""Explanations of colour pictures: what is known of grey ones holds, and colours count where a network reads them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_lightning.data.picture_arrays import as_pictures
from fer_lightning.explain.activation_maximization import gradient_ascent
from fer_lightning.explain.class_image_ascent import class_images
from fer_lightning.explain.class_statistics import mean_faces
from fer_lightning.explain.duplicate_filters import repeated_filters
from fer_lightning.explain.fill import blurred, filled
from fer_lightning.explain.layer_outputs import feature_maps
from fer_lightning.explain.lime_explanation import Lime
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.explain.saliency_methods import CONTROLS, METHODS, attributions, make_method
from fer_lightning.explain.trust_checks import TrustRules, check_trust, insertion_deletion
from fer_lightning.models import Small
from fer_lightning.plots.contact_sheet import contact_sheet
from fer_lightning.plots.saliency import pictures

SIZE = 24


class Averaged(nn.Module):
    """Reads the mean of a picture's channels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.model = Small(image_size=SIZE, num_classes=3)

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images.mean(1, keepdim=True) / 255)


class Linear(nn.Module):
    """Logit k is the sum of w_k · x over channels and pixels."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        return torch.einsum("kchw,nchw->nk", self.weights, images)


@pytest.fixture(scope="module")
def grey() -> Tensor:
    """Even patches with noise, ``[5, 1, H, W]``."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.randint(40, 215, (5, 1, SIZE // 4, SIZE // 4), generator=generator).float()
    patches = patches.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return patches + 5 * torch.randn(patches.shape, generator=generator)


@pytest.fixture(scope="module")
def colour() -> Tensor:
    """Random colours, ``[5, 3, H, W]``."""
    return torch.rand(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 255


def in_colour(images: Tensor) -> Tensor:
    return images.repeat(1, 3, 1, 1)


# A gradient is divided among the channels that a network averages, and the strongest of them is shown.
THIRD = {"gradient": 3.0, "smoothgrad": 3.0}


@pytest.mark.parametrize("name", [*METHODS, "sobel"])
def test_equal_channels_have_the_maps_of_grey(name, grey):
    options = {"sigma": 0.0, "samples": 2} if name == "smoothgrad" else {}
    model, targets, method = Averaged(), [0, 1, 2, 0, 1], make_method(name, **options)
    expected = attributions(model, grey, targets, method)
    found = attributions(model, in_colour(grey), targets, method)
    assert found.maps.shape == (5, SIZE, SIZE)
    assert np.ptp(expected.signed) > 0
    scale = float(np.abs(expected.signed).max())
    assert found.signed * THIRD.get(name, 1.0) == pytest.approx(expected.signed, abs=2e-4 * scale)


def test_equal_channels_pass_the_checks_of_grey(grey):
    model, targets = Averaged(), np.array([0, 1, 2, 0, 1])
    rules = TrustRules(least_faces=2, resamples=100)
    expected, found = (
        check_trust(model, images, targets, ["gradient", "occlusion"], rules)
        for images in (grey, in_colour(grey))
    )
    for one, other in zip(expected.methods, found.methods, strict=True):
        for check, values in one.scores.items():
            assert other.scores[check] == pytest.approx(values, abs=2e-3), (one.name, check)


def test_equal_channels_have_the_superpixels_and_weights_of_grey(grey):
    lime, model = Lime(superpixels=12, samples_per_superpixel=5), Averaged()
    expected, found = lime(model, grey[0]), lime(model, in_colour(grey)[0])
    assert np.array_equal(found.segments, expected.segments)
    assert found.weights == pytest.approx(expected.weights, abs=1e-5)
    assert found.image.shape == (SIZE, SIZE, 3)


def test_equal_channels_lose_with_regions_what_grey_loses(grey):
    labels, names = np.array([0, 1, 2, 0, 1]), ("a", "b", "c")
    occlusion = RegionOcclusion(draws=1, resamples=100)
    expected, found = (occlusion(Averaged(), images, labels, names) for images in (grey, in_colour(grey)))
    assert found.lost.mean == pytest.approx(expected.lost.mean, abs=1e-5)
    assert found.sensitivity == pytest.approx(expected.sensitivity, abs=1e-3)


def test_a_linear_model_is_explained_channel_by_channel(colour):
    weights = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2)) / 100
    model, targets = Linear(weights), [1, 0, 1, 1, 0]
    own = weights[targets].numpy()
    gradient = attributions(model, colour, targets, "gradient")
    assert gradient.maps == pytest.approx(np.abs(own).max(1), rel=1e-5)
    strongest = np.take_along_axis(own, np.abs(own).argmax(1)[:, None], axis=1)[:, 0]
    assert gradient.signed == pytest.approx(strongest, rel=1e-5)
    assert attributions(model, colour, targets, "smoothgrad").signed == pytest.approx(strongest, rel=1e-4)
    away = (colour - colour.mean((2, 3), keepdim=True)).numpy()
    integrated = attributions(model, colour, targets, "integrated_gradients")
    assert integrated.signed == pytest.approx((own * away).sum(1), abs=1e-4)
    assert integrated.completeness_error == pytest.approx(np.zeros(5), abs=1e-3)
    window = make_method("occlusion", window=1, stride=1, fill="black")
    lost = (own * colour.numpy()).sum(1)
    assert attributions(model, colour, targets, window).signed == pytest.approx(lost, abs=1e-3)


def test_fills_are_by_channel(colour):
    mean = filled(colour, "mean")
    assert torch.allclose(mean[:, :, 0, 0], colour.mean((2, 3)))
    assert torch.equal(mean, mean[:, :, :1, :1].expand_as(mean))
    for channel in range(3):
        single = filled(colour[:, channel : channel + 1], "blur")
        assert torch.allclose(filled(colour, "blur")[:, channel : channel + 1], single)
    assert torch.allclose(blurred(colour, 1.0)[:, 2], blurred(colour[:, 2:], 1.0)[:, 0])
    given = np.arange(SIZE * SIZE * 3, dtype=np.float32).reshape(SIZE, SIZE, 3)
    assert np.array_equal(as_pictures(filled(colour, given))[3], given)
    flat = filled(colour, given[..., 0])
    assert np.array_equal(flat[2, 1].numpy(), given[..., 0])


def test_superpixels_follow_a_change_of_colour_alone():
    picture = np.zeros((SIZE, SIZE, 3), np.float32)
    picture[:, :10, 0] = picture[:, 10:, 1] = 180  # red beside green of the same mean
    segments = Lime(superpixels=6, compactness=0.02).segment(picture)
    left, right = set(segments[:, :9].ravel()), set(segments[:, 11:].ravel())
    assert not left & right


def test_edges_are_those_of_the_luma():
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0, :, 4:] = 100
    found = attributions(nn.Conv2d(3, 2, 8), red, [0], make_method("sobel")).maps[0]
    assert found[:, 3:5] == pytest.approx(np.full((8, 2), 100 * 0.299 / 2), rel=1e-5)
    assert found[:, :3].max() == 0
    assert CONTROLS["random"]().attribute(nn.Identity(), red, torch.zeros(1))[0].shape == (1, 8, 8)


def test_pixels_go_with_all_their_channels(colour):
    weights = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(4)) / 1000
    maps = np.tile(np.arange(SIZE * SIZE, dtype=np.float32)[::-1].reshape(SIZE, SIZE), (5, 1, 1))
    curves = insertion_deletion(
        Linear(weights), colour, np.zeros(5, int), maps, fill="black", steps=2, score="logit"
    )
    upper = (weights[0] * colour)[:, :, : SIZE // 2].sum((1, 2, 3)).numpy()
    assert curves.insertion[:, 1] == pytest.approx(upper, rel=1e-4)


class Redness(nn.Module):
    """Class 0 is red without blue, class 1 blue without red; a convolution with one filter for each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 0, 1, 1] = self.conv.weight[1, 2, 1, 1] = 1.0
            self.conv.weight[0, 2, 1, 1] = self.conv.weight[1, 0, 1, 1] = -1.0

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images / 255).mean((2, 3)) * 10


@pytest.mark.parametrize("regularised", [True, False])
def test_class_images_take_the_colour_of_their_class(regularised):
    found = class_images(
        Redness(), (SIZE, SIZE + 4), channels=3, seeds=(0,), steps=40, lr=0.2, tv=1.0, regularised=regularised
    )
    assert found.images.shape == (1, 2, SIZE, SIZE + 4, 3)
    red, _, blue = np.moveaxis(found.images[0].mean((1, 2)), -1, 0)
    assert red[0] - blue[0] > 40
    assert blue[1] - red[1] > 40


def test_a_filters_image_has_its_colour_and_colours_tell_filters_apart():
    model = Redness()
    found = gradient_ascent(model, "conv", SIZE, channels=3, steps=10)
    assert found.images.shape == (2, SIZE, SIZE, 3)
    assert found.images[0, ..., 0].mean() > found.images[0, ..., 2].mean() + 60
    unit = gradient_ascent(model, "conv", SIZE, channels=3, steps=5, objective="unit", smooth=0.0)
    assert unit.box == (SIZE // 2, SIZE // 2 + 1, SIZE // 2, SIZE // 2 + 1)
    with torch.no_grad():
        model.conv.weight[1] = model.conv.weight[0]
    kernels = np.moveaxis(Redness().conv.weight.detach().numpy(), 1, -1)
    assert repeated_filters(kernels) == []
    assert repeated_filters(np.moveaxis(model.conv.weight.detach().numpy(), 1, -1)) == [[0, 1]]


def test_mean_faces_and_feature_maps_keep_channels(colour):
    labels = torch.tensor([0, 1, 0, 1, 0])
    means = mean_faces([(colour, labels, torch.arange(5))], 2)
    assert torch.allclose(means[1], (colour[1] + colour[3]) / 2)
    maps = feature_maps(Redness(), colour[0], ["conv"])["conv"]
    assert maps[0] == pytest.approx(((colour[0, 0] - colour[0, 2]) / 255).numpy(), abs=1e-5)


def test_figures_show_colours():
    faces = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    maps = np.zeros((3, 8, 8), np.float32)
    maps[:, 0, 0] = 1
    assert np.array_equal(pictures(faces, maps, "face"), faces / 255)
    masked = pictures(faces, maps, "masked", share=0.1)
    assert np.array_equal(masked[:, 0, 0], faces[:, 0, 0] / 255)
    over = pictures(faces, maps, "overlay")
    assert np.ptp(over[:, 1:, 1:], axis=-1).max() == pytest.approx(0, abs=1e-9)  # colours are the map's alone
    sheet = contact_sheet(faces, columns=2).images[0].get_array()
    assert np.asarray(sheet)[:8, :8] == pytest.approx(faces[0] / 255)
    assert np.asarray(sheet)[-8:, -8:] == pytest.approx(1.0)  # the empty place
