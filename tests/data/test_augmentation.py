"""Augmentation: exact warps, scipy as a second implementation, the bounds of what is drawn, the configs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy import ndimage

from fer_lightning.config.compose import compose_config
from fer_lightning.data.affine import AffineParameters, warp
from fer_lightning.data.augmentation import Augmentation, mirror, overwrite, relight
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.study.identity import fixed_part

CONF = Path(__file__).parents[2] / "conf" / "augmentation"
R0 = {"rotation": 10.0, "width_shift": 0.1, "height_shift": 0.1, "shear": 0.1, "zoom": 0.1, "flip": True}


def parameters(batch: int, **given: float | bool) -> AffineParameters:
    """The identity, but for what is given."""
    values = {
        "angle": 0.0,
        "shear": 0.0,
        "zoom_x": 1.0,
        "zoom_y": 1.0,
        "shift_x": 0.0,
        "shift_y": 0.0,
    } | given
    flip = bool(values.pop("flip", False))
    return AffineParameters(
        **{name: torch.full((batch,), value) for name, value in values.items()},
        flip=torch.full((batch,), flip),
    )


def noise(batch: int = 3, height: int = 48, width: int = 48) -> torch.Tensor:
    return torch.rand(batch, 1, height, width, generator=torch.Generator().manual_seed(1)) * 255


def assert_same(actual: torch.Tensor, expected: torch.Tensor, grey_levels: float = 0.01) -> None:
    torch.testing.assert_close(actual, expected, atol=grey_levels, rtol=0)


def test_identity_parameters_give_the_same_image() -> None:
    assert_same(warp(noise(height=20), parameters(3)), noise(height=20))


@pytest.mark.parametrize("quarter_turns", [1, 2, -1])
def test_quarter_turns_equal_rot90(quarter_turns: int) -> None:
    turned = warp(noise(), parameters(3, angle=quarter_turns * math.pi / 2))
    assert_same(turned, torch.rot90(noise(), quarter_turns, dims=(2, 3)))


@pytest.mark.parametrize("other", [{}, {"flip": True}])
def test_shift_repeats_the_edge(other: dict[str, bool]) -> None:
    images = noise(height=10, width=14)
    shifted = warp(images, parameters(3, shift_x=3.0, shift_y=-2.0, **other))
    content = images.flip(-1) if other else images
    rows = torch.arange(10).add(2).clamp(0, 9)
    columns = torch.arange(14).sub(3).clamp(0, 13)
    assert_same(shifted, content[:, :, rows][:, :, :, columns])


def test_flip_equals_torch_flip() -> None:
    assert_same(warp(noise(), parameters(3, flip=True)), noise().flip(-1))
    chosen = torch.tensor([True, False, True])
    mirrored = mirror(noise(), chosen)
    assert torch.equal(mirrored[chosen], noise().flip(-1)[chosen])
    assert torch.equal(mirrored[1], noise()[1])


def test_zoom_above_one_enlarges_about_the_centre() -> None:
    images = torch.zeros(1, 1, 9, 9)
    images[..., 4, 4] = 100.0
    zoomed = warp(images, parameters(1, zoom_x=2.0))
    assert_same(zoomed[0, 0, 4], torch.tensor([0, 0, 0, 50.0, 100, 50, 0, 0, 0]))
    assert_same(zoomed[0, 0, 3], torch.zeros(9))


def test_shear_moves_lower_rows_to_the_right() -> None:
    images = torch.zeros(1, 1, 9, 9)
    images[..., 4] = 100.0
    sheared = warp(images, parameters(1, shear=1.0))
    assert_same(sheared[0, 0], torch.eye(9) * 100)


@settings(deadline=None, max_examples=60)
@given(
    angle=st.floats(-math.pi, math.pi),
    shear=st.floats(-0.5, 0.5),
    zoom_x=st.floats(0.6, 1.6),
    zoom_y=st.floats(0.6, 1.6),
    shift_x=st.floats(-6, 6),
    shift_y=st.floats(-6, 6),
    flip=st.booleans(),
    shape=st.sampled_from([(48, 48), (17, 30)]),
)
def test_warp_agrees_with_scipy(
    angle: float,
    shear: float,
    zoom_x: float,
    zoom_y: float,
    shift_x: float,
    shift_y: float,
    flip: bool,
    shape: tuple[int, int],
) -> None:
    image = noise(1, *shape)
    given = {"angle": angle, "shear": shear, "zoom_x": zoom_x, "zoom_y": zoom_y, "flip": flip}
    ours = warp(image, parameters(1, **given, shift_x=shift_x, shift_y=shift_y))[0, 0].numpy()
    # Multiplied out by numpy in (row, column) order, which is the other way round than grid_sample's.
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = (
        rotation
        @ np.array([[1, 0], [shear, 1]])
        @ np.diag([zoom_y, zoom_x])
        @ np.diag([1, -1 if flip else 1])
    )
    inverse = np.linalg.inv(forward)
    centre = (np.array(shape) - 1) / 2
    offset = centre - inverse @ (centre + np.array([shift_y, shift_x]))
    theirs = ndimage.affine_transform(image[0, 0].numpy(), inverse, offset, order=1, mode="nearest")
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@settings(deadline=None, max_examples=30)
@given(
    rotation=st.floats(0, 180),
    width_shift=st.floats(0, 1),
    height_shift=st.floats(0, 1),
    shear=st.floats(0, 1),
    zoom=st.floats(0, 0.9),
    seed=st.integers(0, 1000),
)
def test_drawn_values_fill_their_ranges(
    rotation: float, width_shift: float, height_shift: float, shear: float, zoom: float, seed: int
) -> None:
    torch.manual_seed(seed)
    augmentation = Augmentation(
        rotation=rotation, width_shift=width_shift, height_shift=height_shift, shear=shear, zoom=zoom
    )
    drawn = augmentation.draw_affine(torch.empty(400, 1, 20, 50))
    limits = {
        "angle": math.radians(rotation),
        "shift_x": width_shift * 50,
        "shift_y": height_shift * 20,
        "shear": shear,
    }
    centred = {name: getattr(drawn, name) for name in limits}
    centred |= {"zoom_x": drawn.zoom_x - 1, "zoom_y": drawn.zoom_y - 1}
    for name, values in centred.items():
        limit = limits.get(name, zoom)
        assert values.abs().max().item() <= limit * (1 + 1e-5) + 1e-6
        assert values.min().item() <= -0.9 * limit + 1e-6
        assert values.max().item() >= 0.9 * limit - 1e-6
    assert not drawn.flip.any()


def test_values_are_drawn_apart_for_each_image_and_kind() -> None:
    drawn = Augmentation(**R0).draw_affine(torch.empty(5000, 1, 48, 48))
    correlations = torch.corrcoef(torch.stack([values.float() for values in drawn]))
    assert (correlations - torch.eye(7)).abs().max().item() < 0.08
    assert drawn.angle.unique().numel() > 4900


def test_half_of_many_faces_are_flipped() -> None:
    torch.manual_seed(0)
    images = torch.zeros(20_000, 1, 1, 2)
    images[..., 0] = 1.0
    assert Augmentation(flip=True)(images)[..., 1].mean().item() == pytest.approx(0.5, abs=0.015)
    assert Augmentation(rotation=1e-9, flip=True)(images)[..., 1].mean().item() == pytest.approx(
        0.5, abs=0.015
    )


def test_relight_known_values() -> None:
    images = torch.tensor([[[[90.0, 110.0]]], [[[90.0, 110.0]]], [[[0.0, 255.0]]]])
    output = relight(images, torch.tensor([2.0, 0.0, 2.0]), torch.tensor([5.0, -20.0, 0.0]))
    assert_same(output, torch.tensor([[[[85.0, 125.0]]], [[[80.0, 80.0]]], [[[0.0, 255.0]]]]))


def test_overwrite_known_rectangles() -> None:
    rectangles = torch.tensor([[1.0, 0.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0]])
    output = overwrite(torch.ones(2, 1, 3, 4), rectangles, torch.tensor([[9.0], [9.0]]))
    assert output[0, 0].tolist() == [[1, 1, 1, 1], [9, 9, 1, 1], [9, 9, 1, 1]]
    assert torch.equal(output[1], torch.ones(1, 3, 4))


@settings(deadline=None, max_examples=30)
@given(
    erase_area=st.floats(0.02, 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_rectangles_stay_inside(erase_area: float, height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    images = torch.empty(300, 1, height, width)
    corners, levels = Augmentation(erase=1.0, erase_area=erase_area).draw_rectangles(images)
    top, left, bottom, right = corners.unbind(1)
    assert ((top >= 0) & (top < bottom) & (bottom <= height)).all()
    assert ((left >= 0) & (left < right) & (right <= width)).all()
    assert ((levels >= 0) & (levels <= 255)).all()


def test_erased_share_and_area() -> None:
    torch.manual_seed(0)
    erased = Augmentation(erase=0.5, erase_area=0.2)(torch.full((4000, 1, 48, 48), -1.0)) >= 0
    shares = erased.flatten(1).float().mean(1)
    assert (shares > 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares[shares > 0].mean().item() == pytest.approx(0.11, abs=0.005)  # the middle of 0.02 and 0.2
    assert shares.max().item() < 0.21


def test_evaluation_returns_the_images_themselves() -> None:
    augmentation = Augmentation(**R0, brightness=0.2, erase=1.0).eval()
    images = noise()
    assert augmentation(images) is images


def test_training_leaves_its_input_unchanged() -> None:
    images = noise()
    Augmentation(**R0, brightness=0.2, contrast=0.2, erase=1.0)(images)
    Augmentation(brightness=0.2, erase=1.0)(images)
    assert torch.equal(images, noise())


def test_same_seed_same_faces() -> None:
    augmentation = Augmentation(**R0, brightness=0.1, contrast=0.1, erase=0.5)
    torch.manual_seed(5)
    first = augmentation(noise())
    second = augmentation(noise())
    torch.manual_seed(5)
    assert torch.equal(augmentation(noise()), first)
    assert not torch.equal(second, first)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rotation", -1.0),
        ("width_shift", 1.5),
        ("zoom", 1.0),
        ("shear", math.nan),
        ("erase", 2),
        ("erase_area", 0.0),
        ("contrast", True),
    ],
)
def test_wrong_value_is_named(key: str, value: float) -> None:
    with pytest.raises(
        ConfigError, match=rf"augmentation\.{key}={str(value).lower()}: expected a number from"
    ):
        Augmentation(**{key: value})


def test_crop_is_the_middle_of_the_warped_face() -> None:
    assert_same(warp(noise(), parameters(3), crop=40), noise()[..., 4:44, 4:44])
    shifted = parameters(3, shift_x=4.0, shift_y=-3.0)
    assert_same(warp(noise(), shifted, crop=40), noise()[..., 7:47, 0:40])


def test_resampling_to_half_the_side_averages_four_pixels() -> None:
    # The middle of an output pixel lies where four pixels of the face meet.
    assert_same(warp(noise(), parameters(3), size=24), torch.nn.functional.avg_pool2d(noise(), 2))
    cropped = torch.nn.functional.avg_pool2d(noise()[..., 4:44, 4:44], 2)
    assert_same(warp(noise(), parameters(3), crop=40, size=20), cropped)


def test_crops_lie_anywhere_in_the_face_and_nowhere_else() -> None:
    torch.manual_seed(0)
    across = torch.arange(48.0).expand(4000, 1, 48, 48)
    corners = torch.stack([Augmentation(crop=40)(face)[..., 0, 0] for face in (across, across.mT)])
    # Places between pixels repeat the edge's value for half a pixel at most.
    assert corners.min().item() >= 0
    assert corners.max().item() <= 8
    shares = corners.flatten(1).histc(8, 0, 8) / corners.numel()
    assert (shares - 1 / 8).abs().max().item() < 0.02
    assert torch.corrcoef(corners.squeeze())[0, 1].abs().item() < 0.06


def test_crop_is_for_training_only() -> None:
    augmentation = Augmentation(crop=40, growth=[[0.0, 24]])
    assert augmentation(noise()).shape == (3, 1, 24, 24)
    assert augmentation.eval()(noise()).shape == (3, 1, 48, 48)


def test_images_grow_with_the_progress_of_the_run() -> None:
    augmentation = Augmentation(crop=40, growth=[[0.25, 24], [0.5, 32], [0.75, 40]])
    sides = {}
    for augmentation.progress in (0.0, 0.2, 0.25, 0.49, 0.5, 0.75, 1.0):
        sides[augmentation.progress] = augmentation(noise()).shape[-1]
    assert sides == {0.0: 40, 0.2: 40, 0.25: 24, 0.49: 24, 0.5: 32, 0.75: 40, 1.0: 40}


@pytest.mark.parametrize(
    "growth", [[[0.5, 24], [0.5, 32]], [[1.0, 24]], [[0.1, 24.5]], [[0.1]], [[-0.1, 24]]]
)
def test_wrong_growth_is_named(growth: list[list[float]]) -> None:
    with pytest.raises(
        ConfigError, match=r"augmentation\.growth=\[\[.*: expected pairs of a share of the run"
    ):
        Augmentation(growth=growth)


@pytest.mark.parametrize("crop", [0, 2.5, True])
def test_wrong_crop_is_named(crop: float) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"augmentation\.crop={str(crop).lower()}: expected a whole number of at least 1, or null",
    ):
        Augmentation(crop=crop)  # type: ignore[arg-type]


def test_flip_is_no_number() -> None:
    with pytest.raises(ConfigError, match=r"augmentation\.flip=0\.5: expected true or false"):
        Augmentation(flip=0.5)  # type: ignore[arg-type]


ALIASES = {"r0": "keras_like", "r2": "keras_like_unshifted"}


def built(name: str) -> Augmentation:
    return instantiate(compose_config([f"augmentation={name}"]).augmentation)


def test_every_option_keeps_shape_and_range() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == {
        *ALIASES,
        *ALIASES.values(),
        "none",
        "flip",
        "strong",
        "crop",
        "custom",
    }
    changed = {}
    for path in CONF.glob("*.yaml"):
        if path.stem == "custom":  # has no target of its own
            continue
        output = built(path.stem)(noise(16))
        assert output.dtype == torch.float32
        side = 40 if path.stem == "crop" else 48
        assert output.shape == (16, 1, side, side)
        assert 0 <= output.min().item() <= output.max().item() <= 255.01
        if side == 48:
            changed[path.stem] = not torch.equal(output, noise(16))
    assert changed == {name: name != "none" for name in changed}
    assert len(changed) == 7


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_an_options_former_name_composes_the_same_study(old: str, new: str) -> None:
    def fixed(name: str) -> dict[str, object]:
        config = OmegaConf.to_container(compose_config([f"augmentation={name}"]), throw_on_missing=False)
        assert isinstance(config, dict)
        return fixed_part({str(key): value for key, value in config.items()}, ())

    assert fixed(old) == fixed(new)
    assert list(fixed(old)) == list(fixed(new))


def test_reports_ranges() -> None:
    kinds = (
        "rotation",
        "width_shift",
        "height_shift",
        "shear",
        "zoom",
        "flip",
        "brightness",
        "contrast",
        "erase",
    )
    ranges = {
        name: [getattr(built(name), kind) for kind in kinds] for name in ("none", "flip", *ALIASES.values())
    }
    assert ranges == {
        "none": [0, 0, 0, 0, 0, False, 0, 0, 0],
        "flip": [0, 0, 0, 0, 0, True, 0, 0, 0],
        "keras_like": [10, 0.1, 0.1, 0.1, 0.1, True, 0, 0, 0],
        "keras_like_unshifted": [10, 0, 0, 0.1, 0.1, True, 0, 0, 0],
    }
