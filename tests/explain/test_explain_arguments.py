"""Arguments of `fer_lightning.explain`'s functions that do not fit: one line each, whatever the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_lightning import explain
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.explain.saliency_methods import make_method

SIZE, CLASSES = 16, 4
IMAGES = torch.rand(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(5) % CLASSES


def network() -> nn.Module:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES))


class Returning(nn.Module):
    """Returns something made of the logits."""

    def __init__(self, made: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net, self.made = network(), made

    def forward(self, images: Tensor) -> Any:
        return self.made(self.net(images))


# Each function of pictures, with whatever else it needs.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "saliency": explain.saliency,
    "trust": lambda model, images: explain.trust(model, images, LABELS[: len(images)]),
    "lime": explain.lime,
    "regions": lambda model, images: explain.regions(model, images, LABELS[: len(images)]),
    "feature_maps": explain.feature_maps,
}
HOLED = IMAGES.clone()
HOLED[2, 0, 0, 0] = float("nan")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([1, 2], r"images: a list; expected \[N, H, W\] .* or \[N, C, H, W\] as a tensor"),
        (np.zeros((8, 8, 3)), r"images of shape \(8, 8, 3\): .*; one picture is images\[None\]"),
        (np.zeros((2, 8, 8, 1)), r"grey is images\[\.\.\., 0\]"),
        (np.zeros((2, 3, 8, 8)), r"a tensor of this shape is torch.from_numpy\(images\)"),
        (torch.zeros(2, 8, 8, 3), r"images.permute\(0, 3, 1, 2\)"),
        (IMAGES[0], r"images of shape \(3, 16, 16\): .*one picture is images\[None\]"),
        (IMAGES[:0], "at least one picture"),
        (HOLED, r"images: 1 of 5 pictures hold NaN or infinity, the first is images\[2\]"),
        (np.full((2, SIZE, SIZE, 3), np.inf), "2 of 2 pictures hold NaN or infinity"),
        (
            np.full((2, SIZE, SIZE, 3), 4000, np.uint16),
            "whole numbers from 4000 to 4000; expected levels 0 to 255",
        ),
        (np.zeros((2, SIZE, SIZE, 3), bool), "images of type bool"),
        (
            np.zeros((2, SIZE, SIZE)),
            r"its first convolution takes 3 channels, the batch has 1; Sequential fails on",
        ),
        (torch.rand(1, 3, 2, 2), r"Sequential fails on a batch \[1, 3, 2, 2\]"),
    ],
)
def test_pictures(name: str, images: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^images.*{message.removeprefix('images')}"):
        FUNCTIONS[name](network(), images)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            Returning(lambda logits: (logits, logits)),
            r"model: Returning returns a tuple .* expected logits \[1, K\]",
        ),
        (Returning(lambda logits: {"logits": logits}), "model: Returning returns a dict"),
        (Returning(lambda logits: logits[:, 0]), r"model: Returning returns torch.float32 \[1\]"),
        (Returning(lambda logits: logits.argmax(1)), r"model: Returning returns torch.int64 \[1\]"),
        (Returning(lambda logits: logits * float("nan")), "returns NaN or infinity"),
        (network()[0], r"model: Sequential returns torch.float32 \[1, 4, 14, 14\]"),  # type: ignore[index]
        (len, r"model: a builtin_function_or_method; expected a torch.nn.Module"),
        (nn.ReLU, "model: the class ReLU; expected"),
    ],
)
def test_networks(name: str, model: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FUNCTIONS[name](model, IMAGES[:1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1, 2, 9, 0], r"\[3\]=9: expected a whole number from 0 to 3 for each of 5 pictures"),
        (torch.full((5,), -1), r"\[0\]=-1: expected"),
        ([0, 1], r" of shape \(2,\): expected"),
        (torch.zeros(5), r": float32 of shape \(5,\); expected"),
        (np.eye(4, dtype=int)[[0, 1, 2, 3, 0]], r" of shape \(5, 4\): expected"),
        ([[1], [1, 2]], ": lists of several lengths; expected"),
        (["a"] * 5, ": <U1 of shape"),
        (3, r" of shape \(\): expected"),
    ],
)
def test_classes_of_pictures(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^targets{message}"):
        explain.saliency(network(), IMAGES, targets=values)
    with pytest.raises(DataError, match=f"^targets{message}"):
        explain.trust(network(), IMAGES, values)
    with pytest.raises(DataError, match=f"^labels{message}"):
        explain.regions(network(), IMAGES, values)


def _calls() -> dict[str, tuple[Callable[[], Any], str]]:
    net, tupled = network(), Returning(lambda logits: (logits,))
    return {
        "names": (lambda: explain.regions(net, IMAGES, LABELS, ["a"]), r"class_names=\['a'\]: expected 4"),
        "tuple": (lambda: explain.class_images(tupled, SIZE, channels=3), "model: Returning returns a tuple"),
        "grey": (
            lambda: explain.class_images(net, SIZE),
            "image_size=16 and channels=1: its first convolution",
        ),
        "size": (lambda: explain.filters(net, "0.0", "16", channels=3), "image_size=16: expected pixels"),  # type: ignore[arg-type]
        "key": (
            lambda: explain.class_images(net, SIZE, channels=3, step=3),
            "step: no such key; did you mean steps",
        ),
        "range": (
            lambda: explain.saliency(net, IMAGES, input_range=(0,)),
            r"input_range=\(0,\): expected \(black",
        ),  # type: ignore[arg-type]
        "channels": (
            lambda: explain.saliency(net, IMAGES, input_range=((0, 0), (1, 1))),
            "input_range: 2 and 2 numbers; expected one each, or one for each of 3 channels",
        ),
        "batch": (
            lambda: explain.saliency(net, IMAGES, batch_size=0),
            "batch_size=0: expected a whole number of at",
        ),
        "lime": (lambda: explain.lime(net, IMAGES, superpixel=3), "did you mean lime.superpixels"),
        "made": (
            lambda: explain.saliency(net, IMAGES, method=make_method("smoothgrad"), samples=3),
            "samples: settings go with the name of a method",
        ),
        "none": (lambda: explain.dead_units(net, []), "batches: none goes through an activation layer"),
        "array": (lambda: explain.dead_units(net, IMAGES.numpy()), "batches: the one at 0 is a ndarray"),  # type: ignore[arg-type]
        "batches": (
            lambda: explain.dead_units(net, IMAGES[:, :1]),
            "batches: its first convolution takes 3 channels",
        ),
    }


@pytest.mark.parametrize("name", _calls())
def test_other_arguments(name: str) -> None:
    call, message = _calls()[name]
    with pytest.raises(UserError, match=message):
        call()


def test_a_network_in_training_mode_is_explained_as_one_in_evaluation_mode() -> None:
    net = network().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = explain.saliency(net, IMAGES, targets=LABELS.tolist()).maps
    assert all(each.training for each in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert np.array_equal(found, explain.saliency(net.eval(), IMAGES, targets=LABELS).maps)
