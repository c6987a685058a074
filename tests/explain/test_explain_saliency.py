"""Saliency against networks whose answer is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import fer_lightning.conf
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.fill import blurred, filled
from fer_lightning.explain.saliency_methods import CONTROLS, METHODS, attributions, make_method
from fer_lightning.explain.saliency_methods.grad_cam import GradCAM, last_maps
from fer_lightning.explain.saliency_methods.gradient import SmoothGrad
from fer_lightning.explain.saliency_methods.integrated_gradients import IntegratedGradients
from fer_lightning.explain.saliency_methods.occlusion import Occlusion
from fer_lightning.models import DNN, Small
from fer_lightning.training.construct import build

SIZE = 16
OPTIONS = sorted(path.stem for path in (Path(fer_lightning.conf.__file__).parent / "saliency").glob("*.yaml"))
MOUTH = (slice(10, 14), slice(4, 12))


class Linear(nn.Module):
    """Logit c is the sum of w_c · x."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.dense = nn.Linear(weights[0].numel(), len(weights), bias=True)
        with torch.no_grad():
            self.dense.weight.copy_(weights.flatten(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.dense(images.flatten(1))


class MouthReader(nn.Module):
    """A network that sees a window of the face alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.output = nn.Linear(4, 3)
        mask = torch.zeros(1, 1, SIZE, SIZE)
        mask[0, 0][MOUTH] = 1
        self.register_buffer("mask", mask)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(self.conv(images / 255) + 1) * self.mask
        return self.output(maps.mean((2, 3)))


@pytest.fixture
def faces() -> torch.Tensor:
    return 255 * torch.rand(5, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def weights() -> torch.Tensor:
    return torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))


TARGETS = torch.tensor([0, 1, 2, 1, 0])


def test_a_linear_models_gradient_is_its_weight(faces, weights):
    found = attributions(Linear(weights), faces, TARGETS, "gradient", batch_size=2)
    np.testing.assert_allclose(found.signed, weights[TARGETS].numpy(), rtol=1e-5)
    np.testing.assert_allclose(found.maps, weights[TARGETS].abs().numpy(), rtol=1e-5)
    assert found.completeness_error is None


@pytest.mark.parametrize("baseline", ["mean", "black", "blur", 100, np.full((SIZE, SIZE), 7.0)])
def test_a_linear_models_integrated_gradients_are_weight_times_way(faces, weights, baseline):
    found = attributions(Linear(weights), faces, TARGETS, IntegratedGradients(steps=3, baseline=baseline))
    way = (faces - filled(faces, baseline))[:, 0]
    np.testing.assert_allclose(found.signed, (weights[TARGETS] * way).numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.completeness_error, 0, atol=2e-2)
    np.testing.assert_allclose(found.difference, (weights[TARGETS] * way).sum((1, 2)), rtol=1e-3, atol=2e-2)


def test_the_completeness_error_is_what_the_sum_misses(faces):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIZE**2, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    nn.init.normal_(model[1].bias, std=50)  # so that some units turn on or off on the way
    coarse = attributions(model, faces, TARGETS, IntegratedGradients(steps=1, baseline="black"))
    rows = torch.arange(5)
    with torch.no_grad():
        change = (model(faces) - model(torch.zeros_like(faces)))[rows, TARGETS]
    np.testing.assert_allclose(
        coarse.completeness_error, coarse.signed.sum((1, 2)) - change.numpy(), atol=1e-3
    )
    assert np.abs(coarse.completeness_error).max() > 1
    fine = attributions(model, faces, TARGETS, IntegratedGradients(steps=300, baseline="black"))
    assert np.abs(fine.completeness_error).max() < 0.05 * np.abs(coarse.completeness_error).max()


def test_smoothgrad_without_noise_is_the_gradient_and_averages_before_the_magnitude(faces):
    model = Small(image_size=SIZE, num_classes=3).eval()
    plain = attributions(model, faces, TARGETS, "gradient").signed
    smooth = attributions(model, faces, TARGETS, SmoothGrad(samples=3, sigma=0.0)).signed
    np.testing.assert_allclose(smooth, plain, rtol=1e-4, atol=1e-7)

    class Parabola(nn.Module):  # the gradient's sign is the noise's: magnitudes would not cancel
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return (images - 100).square().sum((1, 2, 3))[:, None] / 2

    flat = torch.full((1, 1, 4, 4), 100.0)
    noisy = attributions(Parabola(), flat, [0], SmoothGrad(samples=400, sigma=10.0))
    assert noisy.maps.mean() < 1.0  # 10 / sqrt(400) · sqrt(2 / π) = 0.4; the mean magnitude is 8


@pytest.mark.parametrize("method", ["gradient", "smoothgrad", "integrated_gradients", "occlusion"])
def test_a_network_that_reads_the_mouth_is_found_out(faces, method):
    chosen = Occlusion(window=2, stride=1) if method == "occlusion" else method
    signed = np.abs(attributions(MouthReader(), faces, TARGETS, chosen).signed)
    around = np.zeros((SIZE, SIZE), bool)
    around[9:15, 3:13] = True  # the mouth and the reach of a 3×3 kernel or a window of 2
    if method == "occlusion":
        around[8:16, 2:14] = True
    assert signed[:, around].sum() > 0.999 * signed.sum() > 0


def test_grad_cam_finds_the_mouth_and_equals_what_is_computed_by_hand():
    class Known(nn.Module):
        """Maps are the face's quarter means times 1 and -2; logit = 3·(sum of map 0) + 5·(sum of map 1)."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 2, stride=2, bias=False)
            self.head = nn.Linear(2, 2, bias=False)
            with torch.no_grad():
                self.conv.weight[0], self.conv.weight[1] = 0.25, -0.5
                self.head.weight.copy_(torch.tensor([[3.0, 5.0], [3.0, 1.0]]))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(images).sum((2, 3)))

    face = torch.zeros(1, 1, 4, 4)
    face[0, 0, 2:, 2:] = 8.0  # its quarter's maps are 8 and -16
    away = attributions(Known(), face, [0], "grad_cam")  # 3·8 - 5·16 = -56
    assert away.signed.min() == pytest.approx(-56)
    assert away.maps.max() == 0
    toward = attributions(Known(), face, [1], "grad_cam")  # 3·8 - 1·16 = 8
    assert toward.signed[0, 3, 3] == pytest.approx(8)
    assert toward.signed[0, 0, 0] == 0
    assert toward.signed[0, 2, 3] == pytest.approx(0.75 * 8)  # bilinear: three quarters of the way


def test_grad_cam_takes_the_maps_behind_the_last_convolutions_norm_and_activation(faces):
    model = Small(image_size=SIZE).eval()
    assert last_maps(model, faces) is model.features.block3.activation
    named = attributions(model, faces, TARGETS, GradCAM("features.block3.activation")).signed
    np.testing.assert_array_equal(attributions(model, faces, TARGETS, "grad_cam").signed, named)
    assert not np.allclose(attributions(model, faces, TARGETS, GradCAM("features.block1.conv")).signed, named)


def test_a_network_without_convolutions_has_no_grad_cam(faces):
    with pytest.raises(ConfigError, match=r"grad_cam: the network has no convolution.*gradient or occlusion"):
        attributions(DNN(image_size=SIZE), faces, TARGETS, "grad_cam")


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (5, 3), (3, 3)])
def test_occlusion_is_the_mean_loss_over_the_windows_that_cover_a_pixel(faces, window, stride):
    model = Small(image_size=SIZE, num_classes=3).eval()
    found = attributions(model, faces[:2], [0, 2], Occlusion(window, stride, fill=30), batch_size=1).signed
    for face, target, values in zip(faces[:2], [0, 2], found, strict=True):
        loss, covered = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
        starts = sorted({*range(0, SIZE - window + 1, stride), *range(0, SIZE, stride)})
        starts = [start for start in starts if start == 0 or start + window - stride < SIZE]
        with torch.no_grad():
            before = model(face[None])[0, target].item()
            for top in starts:
                for left in starts:
                    changed = face.clone()
                    changed[0, top : top + window, left : left + window] = 30
                    change = before - model(changed[None])[0, target].item()
                    loss[top : top + window, left : left + window] += change
                    covered[top : top + window, left : left + window] += 1
        np.testing.assert_allclose(values, loss / covered, atol=1e-4)


def test_sobel_is_the_slope_of_a_ramp_and_random_is_new_each_time(faces):
    ramp = torch.arange(SIZE).float().expand(1, 1, SIZE, SIZE) * 3
    edges = attributions(Linear(torch.ones(1, SIZE, SIZE)), ramp, [0], "sobel").maps
    np.testing.assert_allclose(edges[0, 1:-1, 1:-1], 3, rtol=1e-6)
    one, two = (attributions(MouthReader(), faces, TARGETS, "random", seed=seed).maps for seed in (0, 1))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1


def test_fills_are_what_they_are_called(faces):
    assert filled(faces, "mean").std((1, 2, 3)).max() == 0
    torch.testing.assert_close(filled(faces, "mean")[:, 0, 0, 0], faces.mean((1, 2, 3)))
    assert filled(faces, "black").max() == 0
    assert filled(faces, 12).unique().tolist() == [12]
    flat = torch.full((1, 1, 5, 5), 9.0)
    torch.testing.assert_close(blurred(flat, 2.0), flat)  # also at the edges
    point = torch.zeros(1, 1, 31, 31)
    point[0, 0, 15, 15] = 1
    spread = blurred(point, 2.0)[0, 0]
    assert spread[15, 15].item() == pytest.approx(1 / (2 * np.pi * 4), rel=0.01)
    columns = torch.arange(31.0) - 15
    assert (spread.sum(0) * columns.square()).sum().item() == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("method", [*METHODS, *CONTROLS])
def test_every_method_gives_maps_of_any_size_and_leaves_the_model_alone(method):
    model = Small(image_size=20, num_classes=4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    faces = torch.randint(0, 256, (3, 1, 20, 20), dtype=torch.uint8)
    state = torch.get_rng_state()
    found = attributions(model, faces, None, method, batch_size=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert found.signed.shape == (3, 20, 20)
    assert found.signed.dtype == np.float32
    assert found.maps.min() >= 0
    with torch.no_grad():
        assert found.targets.tolist() == model.eval()(faces.float()).argmax(1).tolist()


def test_the_gradient_is_captums_and_needs_no_captum(faces):
    from captum.attr import Saliency

    torch.manual_seed(0)
    model = Small(num_classes=3, image_size=SIZE).eval()
    expected = Saliency(model).attribute(faces.clone().requires_grad_(), target=TARGETS, abs=False)
    found = attributions(model, faces, TARGETS).signed
    np.testing.assert_allclose(found, expected[:, 0].detach().numpy(), rtol=1e-4, atol=1e-8)
    code = (
        "import sys, torch\n"
        "from fer_lightning.explain.saliency_methods import attributions\n"
        "attributions(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)), torch.rand(1, 1, 4, 4))\n"
        "sys.exit('captum' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_works_within_an_evaluation_that_takes_no_gradients(faces, weights):
    model = Linear(weights)
    with torch.inference_mode():
        found = attributions(model, faces + 0, TARGETS).maps
    np.testing.assert_allclose(found, weights[TARGETS].abs().numpy(), rtol=1e-5)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_the_group_is_built_with_the_methods_own_defaults(option):
    path = Path(fer_lightning.conf.__file__).parent / "saliency" / f"{option}.yaml"
    made, default = build(OmegaConf.load(path)), make_method(option)
    assert type(made) is type(default)
    assert vars(made) == vars(default)


def test_the_group_has_every_method():
    assert sorted(METHODS) == OPTIONS


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_method("gradent"), "method=gradent: no such saliency method; did you mean gradient"),
        (lambda: make_method("smoothgrad", sample=3), "method=smoothgrad: got an unexpected keyword"),
        (lambda: SmoothGrad(samples=0), "saliency.samples=0: expected a whole number of at least 1"),
        (lambda: SmoothGrad(sigma=-1), "saliency.sigma=-1"),
        (lambda: IntegratedGradients(baseline="grey"), "saliency.baseline=grey: expected mean, blur, black"),
        (lambda: IntegratedGradients(baseline=300), "saliency.baseline=300"),
        (lambda: Occlusion(window=3, stride=4), "saliency.stride=4: expected at most the window's 3"),
        (lambda: GradCAM(""), "saliency.layer="),
    ],
)
def test_a_wrong_option_is_named(call, message):
    with pytest.raises(ConfigError) as caught:
        call()
    assert message in str(caught.value)


def test_wrong_shapes_are_named(faces, weights):
    with pytest.raises(DataError, match=r"images of shape \(5, 16, 16\): expected \[N, C, H, W\]"):
        attributions(Linear(weights), faces[:, 0], TARGETS)
    with pytest.raises(DataError, match=r"targets of shape \(3,\): expected one for each of 5"):
        attributions(Linear(weights), faces, TARGETS[:3])
    with pytest.raises(ConfigError, match=r"saliency\.window=17: expected at most the face's 16"):
        attributions(Linear(weights), faces, TARGETS, Occlusion(window=17))
