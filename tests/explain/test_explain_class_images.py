"""Class images: on a linear model they are its weights; start, seed and bounds are as promised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fer_lightning.data.normalization import PerImage
from fer_lightning.errors import ConfigError
from fer_lightning.explain.class_image_ascent import class_images, ignores_contrast, total_variation
from fer_lightning.explain.image_parameters import FourierImages, PixelImages
from fer_lightning.models import Small

SIZE = 16


class Linear(nn.Module):
    """Three smooth patterns as a linear classifier of grey levels."""

    def __init__(self) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        waves = [rows * 1.0, columns * 1.0, rows + columns * 0.5]
        self.weights = torch.stack([torch.sin(wave * 2 * np.pi / SIZE) for wave in waves])
        self.output = nn.Linear(SIZE * SIZE, 3)
        with torch.no_grad():
            self.output.weight.copy_(self.weights.flatten(1))
            self.output.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, images):
        return self.output((images / 127.5 - 1).flatten(1))


PLAIN = {"jitter": 0.0, "rotation": 0.0, "scale": 0.0, "tv": 0.0}


@pytest.mark.parametrize(
    ("least", "options"),
    [(0.89, {"regularised": False}), (0.7, PLAIN), (0.87, {})],
    ids=["raw", "waves", "regularised"],
)
def test_on_a_linear_model_the_images_are_its_weights(least, options):
    # A saturated image is the sign of the weight, which correlates .90 with a sine; waves that are coarse also
    # take up the slowest of them, which warps and total variation take back.
    model = Linear()
    found = class_images(model, SIZE, seeds=(0, 1), steps=60, lr=0.05, **options)
    assert found.images.shape == (2, 3, SIZE, SIZE)
    for images in found.images:
        table = np.corrcoef(images.reshape(3, -1), model.weights.flatten(1).numpy())[:3, 3:]
        assert (table.diagonal() > least).all()
        assert (table.argmax(axis=1) == np.arange(3)).all()
    assert (found.logits > found.start).all()
    assert found.images.min() >= 0
    assert found.images.max() <= 255


@pytest.mark.parametrize("tv", [0.0, 60.0, 3000.0])
def test_images_keep_their_contrast_where_the_network_ignores_it(tv):
    linear = Linear()
    model = nn.Sequential(PerImage(), nn.Flatten(), linear.output)
    noise = torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    assert ignores_contrast(model, noise)
    assert not ignores_contrast(linear, noise)
    found = class_images(model, SIZE, seeds=(0,), steps=60, lr=0.05, tv=tv)
    assert np.abs(found.images.mean(axis=(2, 3)) - 127.5).max() < 5
    assert 50 < found.images.std(axis=(2, 3)).min() <= found.images.std(axis=(2, 3)).max() < 65
    again = model(torch.from_numpy(found.images[0])[:, None]).diagonal()
    assert np.allclose(again.detach(), found.logits[0], atol=1e-4)
    table = np.corrcoef(found.images[0].reshape(3, -1), linear.weights.flatten(1).numpy())[:3, 3:]
    assert (table.argmax(axis=1) == np.arange(3)).all()


def test_logits_and_probabilities_are_those_of_the_images():
    model = Small(image_size=SIZE, num_classes=3)
    found = class_images(model, SIZE, seeds=(4,), steps=2)
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(found.images[0])[:, None])
    assert found.logits[0] == pytest.approx(logits.diagonal().numpy(), rel=1e-3, abs=1e-4)
    assert found.probabilities[0] == pytest.approx(logits.softmax(1).diagonal().numpy(), rel=1e-3, abs=1e-4)


def test_same_seed_same_image_whatever_the_other_seeds_and_no_trace():
    model = Small(image_size=SIZE, num_classes=3)
    values = [each.clone() for each in model.state_dict().values()]
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one = class_images(model, SIZE, seeds=(7,), steps=3)
    again = class_images(model, SIZE, seeds=(7,), steps=3)
    more = class_images(model, SIZE, seeds=(2, 7), steps=3)
    assert np.array_equal(one.images, again.images)
    assert one.images[0] == pytest.approx(more.images[1], abs=0.5)
    assert np.abs(more.images[0] - more.images[1]).mean() > 1
    assert torch.equal(torch.rand(1), expected)
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), values, strict=True))
    assert all(each.requires_grad and each.grad is None for each in model.parameters())


def test_guided_images_start_from_what_is_given():
    start = (Linear().weights * 80 + 127).float()[:, None]
    for regularised in (True, False):
        found = class_images(
            Linear(), SIZE, steps=1, lr=1e-6, seeds=(0,), start=start, regularised=regularised
        )
        assert found.guided
        for image, face in zip(found.images[0], start, strict=True):
            assert np.corrcoef(image.ravel(), face.numpy().ravel())[0, 1] > 0.95
    assert not class_images(Linear(), SIZE, steps=1, seeds=(0,)).guided


def test_total_variation_holds_the_image_down():
    model = Small(image_size=SIZE, num_classes=3)
    free, held = (class_images(model, SIZE, seeds=(0,), steps=30, tv=tv).images[0] for tv in (0.0, 100.0))
    variations = [total_variation(torch.from_numpy(each)[:, None] / 255).mean() for each in (free, held)]
    assert variations[1] < 0.5 * variations[0]


def test_total_variation_of_a_step_is_counted_by_hand():
    image = torch.zeros(1, 1, 4, 4)
    image[..., 2:] = 1.0  # one difference of 1 in each of the 4 rows, of 12 across
    assert total_variation(image).item() == pytest.approx(4 / 12)


def test_parameters_give_the_images_they_were_made_from():
    for channels, height in ((1, SIZE), (3, SIZE), (3, SIZE + 5)):
        shape = (3, channels, height, SIZE)
        start = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 200 + 20
        for kind in (PixelImages, FourierImages):
            images = kind.draw([torch.Generator(), torch.Generator()], shape, 0.0, start)() * 255
            assert torch.allclose(images[:3], start, atol=0.1)
            assert torch.allclose(images[3:], start, atol=0.1)
    for kind in (PixelImages, FourierImages):
        noise = kind.draw([torch.Generator().manual_seed(0)], (40, 1, SIZE, SIZE), 0.3, None)()
        assert torch.logit(noise).std().item() == pytest.approx(0.3, rel=0.25)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"lr": 0.0}, {"jitter": -1.0}, {"rotation": 180.0}, {"scale": 1.0}, {"tv": -1.0}]
)
def test_wrong_options_are_one_clear_line(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        class_images(Linear(), SIZE, **wrong)


def test_a_start_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="start has shape"):
        class_images(Linear(), SIZE, start=torch.zeros(2, SIZE, SIZE))
