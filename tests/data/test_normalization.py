"""Normalizations: exact values, the fit against a second computation, and what is saved."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from omegaconf import OmegaConf

from fer_lightning.data.normalization import (
    GreyLevels,
    PerImage,
    Standard,
    Symmetric,
    Unit,
    moments,
)
from fer_lightning.errors import ConfigError, DataError

CONF = Path(__file__).parents[2] / "conf" / "normalization"


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 12, 12), dtype=np.uint8)


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        (GreyLevels(), [0.0, 51.0, 255.0]),
        (Unit(), [0.0, 0.2, 1.0]),
        (Symmetric(), [-1.0, -0.6, 1.0]),
        (PerImage(), [-0.92582, -0.46291, 1.38873]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_known_values(normalization: torch.nn.Module, expected: list[float], dtype: torch.dtype) -> None:
    images = torch.tensor([[[[0, 51, 255]]]], dtype=dtype)
    output = normalization(images)
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, torch.tensor([[[expected]]]), atol=1e-5, rtol=0)


def test_standard_gives_mean_zero_and_deviation_one(faces: np.ndarray) -> None:
    normalization = Standard()
    normalization.fit(faces)
    output = normalization(torch.from_numpy(faces)[:, None])
    assert output.mean().item() == pytest.approx(0, abs=1e-5)
    assert output.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert normalization.mean.item() == pytest.approx(faces.mean() / 255)
    assert normalization.std.item() == pytest.approx(faces.std() / 255)


def test_standard_can_be_fitted_again(faces: np.ndarray) -> None:
    normalization = Standard()
    normalization.fit(faces)
    normalization(torch.zeros(1, 1, 2, 2))
    normalization.fit(np.array([[[0, 255]]], dtype=np.uint8))
    torch.testing.assert_close(
        normalization(torch.tensor([[[[0.0, 255.0]]]])), torch.tensor([[[[-1.0, 1.0]]]])
    )


@settings(deadline=None, max_examples=50)
@given(
    images=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)),
    block=st.integers(1, 5),
)
def test_moments_equal_numpys_for_any_block(images: np.ndarray, block: int) -> None:
    if images.min() == images.max():
        with pytest.raises(DataError, match="expected some contrast"):
            moments(images, block=block)
        return
    mean, std = moments(images, block=block)
    assert mean == pytest.approx(images.mean(dtype=np.float64), rel=1e-12)
    assert std == pytest.approx(images.std(dtype=np.float64), rel=1e-9)


def test_moments_count_more_than_32_bits_hold() -> None:
    images = np.broadcast_to(np.array([[[255, 1]]], dtype=np.uint8), (20_000_000, 1, 2))
    mean, std = moments(images, block=4_000_000)
    assert (mean, std) == (128.0, 127.0)


def test_standard_is_saved_with_the_model(faces: np.ndarray) -> None:
    fitted, loaded = Standard(), Standard()
    fitted.fit(faces)
    loaded.load_state_dict(fitted.state_dict())
    images = torch.from_numpy(faces)[:, None]
    assert torch.equal(loaded(images), fitted(images))


def test_standard_unfitted_is_one_clear_line() -> None:
    with pytest.raises(
        ConfigError, match=r"normalization=standard has no mean and deviation yet: expected"
    ) as error:
        Standard()(torch.zeros(1, 1, 4, 4))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3, 3)), r"float64 of shape \(2, 3, 3\): expected uint8 faces"),
        (np.zeros((0, 3, 3), dtype=np.uint8), r"uint8 of shape \(0, 3, 3\): expected"),
        (np.full((2, 3, 3), 7, dtype=np.uint8), "every pixel is 7: expected some contrast"),
    ],
)
def test_standard_refuses(images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Standard().fit(images)


def test_per_image_uses_each_face_alone(faces: np.ndarray) -> None:
    images = torch.from_numpy(faces)[:, None]
    output = PerImage()(images)
    torch.testing.assert_close(output.mean((1, 2, 3)), torch.zeros(40), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.std((1, 2, 3), correction=0), torch.ones(40))
    torch.testing.assert_close(PerImage()(images * 0.5 + 20), output, atol=1e-4, rtol=0)


@pytest.mark.parametrize("level", [0, 1, 100, 255])
def test_per_image_makes_blank_faces_zero(level: int) -> None:
    images = torch.full((3, 1, 48, 48), level, dtype=torch.uint8)
    torch.testing.assert_close(PerImage()(images), torch.zeros(3, 1, 48, 48), atol=1e-3, rtol=0)


def test_every_option_is_built_and_keeps_numbers_finite(faces: np.ndarray) -> None:
    built = {path.stem: instantiate(OmegaConf.load(path)) for path in CONF.glob("*.yaml")}
    assert {name: type(module) for name, module in built.items()} == {
        "none": GreyLevels,
        "unit": Unit,
        "symmetric": Symmetric,
        "standard": Standard,
        "per_image": PerImage,
    }
    for module in built.values():
        module.fit(faces)
        assert math.isfinite(module(torch.from_numpy(faces)[:, None]).sum().item())
