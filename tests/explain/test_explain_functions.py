"""`fer_lightning.explain`: explanations of any network, whatever the range and the layout of its pictures."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_lightning import explain
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.trust_checks import TrustRules
from fer_lightning.models import Small

SIZE = 24
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.2)
RULES = TrustRules(least_faces=2, resamples=100)


class Unit(nn.Module):
    """Takes colours in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.mix = nn.Conv2d(3, 1, 1)
        self.net = Small(image_size=SIZE, num_classes=3)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(self.mix(images))


class Standardized(nn.Module):
    """The same, of pictures from which a mean was subtracted and which a deviation divides."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
        return self.unit(images * std + mean)


class Bytes(nn.Module):
    """The same, of levels 0–255."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, images: Tensor) -> Tensor:
        return self.unit(images / 255)


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    """Even patches with noise, uint8 ``[6, H, W, 3]``."""
    rng = np.random.default_rng(0)
    patches = rng.integers(30, 220, (6, SIZE // 4, SIZE // 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    return (patches + rng.integers(-9, 10, patches.shape)).astype(np.uint8)


def in_unit(levels: np.ndarray) -> Tensor:
    return torch.from_numpy(levels).permute(0, 3, 1, 2) / 255


def standardized(levels: np.ndarray) -> Tensor:
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    return (in_unit(levels) - mean) / std


@pytest.fixture(scope="module")
def nets() -> tuple[Unit, Standardized]:
    unit = Unit()
    return unit, Standardized(unit)


RANGE = explain.standardized_range(MEAN, STD)
TARGETS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("gradient", {}),
        ("smoothgrad", {"samples": 3}),
        ("integrated_gradients", {"steps": 8, "baseline": "black"}),
        ("grad_cam", {}),
        ("occlusion", {"window": 6, "stride": 3}),
    ],
)
def test_saliency_does_not_depend_on_the_range_or_the_layout(nets, levels, method, settings):
    unit, other = nets
    options = {"method": method, "targets": TARGETS, **settings}
    expected = explain.saliency(unit, in_unit(levels), **options)
    assert expected.maps.shape == (6, SIZE, SIZE)
    assert np.ptp(expected.maps) > 0
    scale = float(np.abs(expected.signed).max())
    found = explain.saliency(other, standardized(levels), input_range=RANGE, **options)
    assert found.signed == pytest.approx(expected.signed, abs=1e-3 * scale)
    as_bytes = explain.saliency(Bytes(unit), levels, **options)
    assert as_bytes.signed == pytest.approx(expected.signed, abs=1e-3 * scale)
    pixels = np.ascontiguousarray((levels / 255).astype(np.float32))
    assert np.array_equal(explain.saliency(unit, pixels, **options).signed, expected.signed)


def test_checks_superpixels_regions_and_images_do_not_depend_on_the_range(nets, levels):
    unit, other = nets
    for call in (
        lambda net, x, **r: (
            explain.trust(net, x, TARGETS, ["gradient"], RULES, **r).methods[0].scores["faithfulness"]
        ),
        lambda net, x, **r: explain.lime(net, x[:1], superpixels=9, samples_per_superpixel=4, **r)[0].weights,
        lambda net, x, **r: explain.regions(net, x, TARGETS, draws=1, resamples=100, **r).lost.mean,
        lambda net, x, **r: explain.feature_maps(net, x[:1], **r),
    ):
        expected, found = call(unit, in_unit(levels)), call(other, standardized(levels), input_range=RANGE)
        if isinstance(expected, dict):
            assert [f"unit.{name}" for name in expected] == list(found)
            expected, found = (
                np.concatenate([each.ravel() for each in maps.values()]) for maps in (expected, found)
            )
        assert found == pytest.approx(expected, abs=2e-4)
    options = {"channels": 3, "steps": 5}
    one = explain.class_images(unit, SIZE, seeds=(0,), **options)
    two = explain.class_images(other, SIZE, seeds=(0,), input_range=RANGE, **options)
    assert two.images == pytest.approx(one.images, abs=0.5)
    assert two.logits == pytest.approx(one.logits, abs=1e-3)
    layer = "net.features.block1.conv"
    first = explain.filters(unit, layer, SIZE, filters=[0, 1], **options)
    second = explain.filters(other, f"unit.{layer}", SIZE, filters=[0, 1], input_range=RANGE, **options)
    assert second.activation == pytest.approx(first.activation, rel=1e-3)


def test_a_method_and_its_settings_are_those_of_the_framework(nets, levels):
    smooth = explain.saliency(nets[0], in_unit(levels), method="smoothgrad", samples=2, sigma=51)
    assert smooth.settings == "2 copies, noise of 51 grey levels"
    assert smooth.targets.tolist() == nets[0].eval()(in_unit(levels)).argmax(1).tolist()
    with pytest.raises(ConfigError, match=r"method=smoothgrat: .*smoothgrad"):
        explain.saliency(nets[0], in_unit(levels), method="smoothgrat")


def test_a_network_is_left_as_it_was(levels):
    net = Unit().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = torch.get_rng_state()
    explain.saliency(Standardized(net), standardized(levels), input_range=RANGE)
    explain.lime(net, in_unit(levels)[:1], samples_per_superpixel=2)
    explain.class_images(net, SIZE, channels=3, steps=1)
    assert net.training
    assert net.net.training
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_grey_pictures_and_a_network_without_weights():
    class Brightness(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([images[:, :, :4].mean((1, 2, 3)), images[:, :, 4:].mean((1, 2, 3))], dim=1)

    grey = np.random.default_rng(0).random((2, 8, 8), dtype=np.float32)
    maps = explain.saliency(Brightness(), grey, targets=[0, 1]).maps
    assert maps[0, :4] == pytest.approx(np.full((4, 8), 1 / 32 / 255), rel=1e-4)
    assert maps[0, 4:].max() == 0
    assert maps[1, :4].max() == 0


def test_dead_units_of_a_loader_and_of_a_tensor():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        net[1].bias[:2] = -100
        net[1].bias[2:] = 100
    images = torch.rand(100, 3, 2, 2)
    pairs = [(part, torch.zeros(len(part))) for part in images.split(30)]
    for batches in (images, pairs, list(images.split(30))):
        (layer,) = explain.dead_units(net, batches)
        assert (layer.layer, layer.units, layer.dead_units) == ("2", 4, 2)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (np.zeros((2, 3, 8, 8)), r"\(2, 3, 8, 8\): expected \[N, H, W\] or \[N, H, W, 3\]"),
        (np.zeros((8, 8)), r"expected \[N, H, W\] or"),
        (torch.zeros(3, 8, 8), r"\(3, 8, 8\): expected \[N, C, H, W\]"),
        (torch.zeros(0, 3, 8, 8), "at least one"),
    ],
)
def test_what_is_no_picture_is_said(pictures, message):
    with pytest.raises(DataError, match=message):
        explain.saliency(Unit(), pictures)


def test_an_unfit_range_and_several_pictures_are_said(levels):
    with pytest.raises(ConfigError, match="input_range="):
        explain.saliency(Unit(), in_unit(levels), input_range=(1, 0))
    with pytest.raises(ConfigError, match="images: 6 pictures; expected one"):
        explain.feature_maps(Unit(), in_unit(levels))


def test_functions_are_loaded_when_asked_for_and_no_module_hides_them():
    code = (
        "import sys, fer_lightning.explain as explain\n"
        "assert 'torch' not in sys.modules\n"
        "assert {'saliency', 'lime'} <= set(dir(explain))\n"
        "from fer_lightning.explain import saliency\n"
        "sys.exit('captum' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for module in pkgutil.iter_modules(explain.__path__):
        import_module(f"fer_lightning.explain.{module.name}")
    assert all(callable(getattr(explain, name)) for name in explain.__all__)
    with pytest.raises(AttributeError, match="no attribute nothing"):
        _ = explain.nothing
