"""Dense networks of another model's size."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.errors import ConfigError
from fer_lightning.models import DNN, count_parameters, packaged_model
from fer_lightning.models.match import matched_widths, scaled


def dense_total(widths, inputs=2304, classes=7, norm=0):
    """Count weights, biases and `norm` values a unit of a dense network by hand."""
    units = [inputs, *widths]
    hidden = sum(before * after + after * (1 + norm) for before, after in pairwise(units))
    return hidden + units[-1] * classes + classes


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("name", ["cnn_pad", "cnn", "small", "vgg16"])
def test_matches_another_model_within_one_percent(name, norm):
    with torch.device("meta"):
        net = DNN(match=name, norm=norm)
    target = count_parameters(packaged_model(name, image_size=48, num_classes=7)).total
    total = count_parameters(net).total
    assert total == dense_total(net.widths, norm=4 * (norm == "batch"))
    assert abs(total - target) <= 0.01 * target
    ratios = [width / own for width, own in zip(net.widths, (1024, 1024, 512, 256, 128), strict=True)]
    assert max(ratios) - min(ratios) < 0.51 / 128 * 2  # one factor, up to rounding


def test_r0_and_r2_comparisons():
    with torch.device("meta"):
        assert DNN(match="dnn").widths == [1024, 1024, 512, 256, 128]
        assert DNN(match=4_467_975).widths == scaled_nearest((1024, 1024, 512, 256, 128), 4_467_975)


def scaled_nearest(widths, target):
    """Try every factor on a fine grid: slower, but nothing to get wrong."""
    candidates = {scaled(widths, factor / 100_000) for factor in range(10_000, 120_000, 5)}
    return list(min(candidates, key=lambda candidate: abs(dense_total(candidate) - target)))


@pytest.mark.parametrize(
    ("widths", "target"),
    [((400, 200, 100), 300_000), ((500, 250), 1_000_000), ((1024, 1024, 512, 256, 128), 4_087_879)],
)
def test_nearest_of_all_factors(widths, target):
    assert matched_widths(widths, dense_total, target) == scaled_nearest(widths, target)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(20, 1000), min_size=1, max_size=5), st.integers(200_000, 30_000_000))
def test_result_is_one_factor_and_within_tolerance_or_refused(widths, target):
    try:
        found = matched_widths(widths, dense_total, target)
    except ConfigError as error:
        assert "within 1 %" in str(error)  # noqa: PT017
        return
    assert abs(dense_total(found) - target) <= 0.01 * target
    low = max((unit - 0.5) / width for unit, width in zip(found, widths, strict=True))
    high = min((unit + 0.5) / width for unit, width in zip(found, widths, strict=True))
    assert low <= high or min(found) == 1


def test_takes_size_and_classes_from_its_own():
    with torch.device("meta"):
        net = DNN(match="cnn", image_size=64, num_classes=10)
    target = count_parameters(packaged_model("cnn", image_size=64, num_classes=10)).total
    assert (
        target == 4_087_879 + 512 * 512 * 7 + 256 * 3 + 3
    )  # flatten 8192 instead of 4608; three more classes
    total = dense_total(net.widths, inputs=64 * 64, classes=10)
    assert count_parameters(net).total == total
    assert abs(total - target) <= 0.01 * target


def test_matching_consumes_no_random_numbers():
    torch.manual_seed(1)
    matched = DNN(match="small", image_size=20, init="lecun", norm="layer")
    torch.manual_seed(1)
    plain = DNN(widths=matched.widths, image_size=20, init="lecun", norm="layer")
    assert matched.widths != [1024, 1024, 512, 256, 128]
    for ours, theirs in zip(matched.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("cnn_dep", r"model.match=cnn_dep: expected one of cnn, .*, vgg19 \(did you mean cnn_deep\?\)"),
        (100, r"model.match: no factor on widths \[1024, .*\] comes within 1 % of 100 parameters"),
        (0, "model.match=0: expected a text, or a whole number of at least 1"),
        (True, "model.match=true: expected a text, or a whole number"),
        (1e6, "model.match=1000000.0: expected a text, or a whole number"),
    ],
)
def test_impossible_matches_are_refused(match, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message):
        DNN(match=match)


def test_a_model_that_does_not_fit_the_images_is_named():
    with pytest.raises(
        ConfigError, match=r"model.image_size=24: too small for this model, expected at least 32"
    ):
        DNN(match="vgg16", image_size=24)
