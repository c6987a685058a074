"""Temperatures and calibration errors against closed forms, drawn labels and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.arm_calibration import arm_calibration, arm_calibrations, run_temperature
from fer_lightning.stats.calibration import (
    fit_temperature,
    halves,
    mean_nll,
    probabilities,
    reliability,
)
from fer_lightning.stats.records import ArmRun


def drawn(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels that are drawn from the softmax of the logits divided by a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 5)) * temperature
    chances = probabilities(logits, temperature).cumsum(axis=1)
    return logits, (rng.random((count, 1)) > chances).sum(axis=1)


@pytest.mark.parametrize("share", [0.55, 0.8, 0.95])
def test_two_classes_have_a_temperature_in_closed_form(share: float) -> None:
    right = np.arange(1000) < 1000 * share
    logits, labels = np.tile([4.0, 0.0], (1000, 1)), np.where(right, 0, 1)
    # The likelihood is largest where the probability is the share: 4 / T = log(share / (1 - share)).
    assert fit_temperature(logits, labels) == pytest.approx(4 / math.log(share / (1 - share)), rel=1e-4)
    assert mean_nll(logits, labels, 4 / math.log(share / (1 - share))) == pytest.approx(
        -share * math.log(share) - (1 - share) * math.log(1 - share)
    )


def test_without_a_best_temperature_it_stays_finite() -> None:
    """Logits that are right on every face want 0, those that are wrong on every face no end."""
    logits, labels = np.eye(3)[np.arange(30) % 3], np.arange(30) % 3
    cold, hot = fit_temperature(logits, labels), fit_temperature(logits, (labels + 1) % 3)
    assert 0.01 <= cold < 0.05
    assert mean_nll(logits, labels, cold) < 1e-9
    assert 100 < hot <= 1000
    assert mean_nll(logits, (labels + 1) % 3, hot) == pytest.approx(math.log(3), abs=0.01)


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_the_temperature_that_made_the_labels_is_found_and_no_other_does_better(temperature: float) -> None:
    logits, labels = drawn(20_000, temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    losses = [mean_nll(logits, labels, factor * found) for factor in (0.99, 1, 1.01)]
    assert losses[1] == min(losses)
    # Logits times a number want that times the temperature; logits plus a number the same.
    assert fit_temperature(3 * logits + 7, labels) == pytest.approx(3 * found, rel=1e-4)


def test_the_error_of_two_bins_by_hand() -> None:
    confidence = np.array([0.5, 0.9, 0.6, 0.8])
    right = np.array([True, True, False, False])
    found = reliability(confidence, right, bins=2)
    assert [(each.faces, each.confidence, each.accuracy) for each in found.bins] == [
        (2, pytest.approx(0.55), 0.5),
        (2, pytest.approx(0.85), 0.5),
    ]
    assert found.ece == pytest.approx((0.05 + 0.35) / 2)
    expected = sum(math.sqrt(2 / math.pi * v) for v in (0.25 + 0.24, 0.09 + 0.16)) / 4
    assert found.chance == pytest.approx(expected)


def test_with_equal_confidences_it_is_the_error_of_torchmetrics() -> None:
    """Four confidences, each of a bin of its own in both."""
    rng = np.random.default_rng(1)
    confidence = np.repeat([0.45, 0.62, 0.78, 0.95], 50)
    predicted = rng.integers(0, 4, 200)
    labels = np.where(rng.random(200) < 0.7, predicted, (predicted + 1) % 4)
    chances = np.repeat(((1 - confidence) / 3)[:, None], 4, axis=1)
    chances[np.arange(200), predicted] = confidence
    theirs = multiclass_calibration_error(
        torch.from_numpy(chances), torch.from_numpy(labels), num_classes=4, n_bins=15
    )
    assert reliability(confidence, predicted == labels, bins=4).ece == pytest.approx(float(theirs), abs=1e-6)


def test_chance_is_the_mean_error_of_true_probabilities() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.3, 1, 600)
    errors = [reliability(confidence, rng.random(600) < confidence).ece for _ in range(400)]
    chance = reliability(confidence, confidence > 0).chance
    assert chance == pytest.approx(np.mean(errors), rel=0.04)
    assert chance > 0.02  # far from nothing, though every probability is true


def test_halves_are_of_each_class_and_do_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(3)
    labels, ids = rng.integers(0, 4, 101), np.array([f"face {n}" for n in range(101)])
    fitted = halves(labels, ids)
    assert np.abs(np.bincount(labels[fitted]) - np.bincount(labels[~fitted])).max() <= 1
    assert abs(int(fitted.sum()) - int((~fitted).sum())) == 1
    order = rng.permutation(101)
    assert np.array_equal(halves(labels[order], ids[order]), fitted[order])
    assert not np.array_equal(halves(labels, ids, seed=1), fitted)


def test_an_arm_is_judged_on_the_faces_that_no_temperature_was_fitted_on() -> None:
    logits, labels = drawn(4000, 2.0)
    ids = np.arange(4000).astype(str)
    fitted = halves(labels, ids)
    runs = {0: Predictions(logits, labels, ids), 3: Predictions(logits * 2, labels, ids)}
    found = arm_calibration("mine", runs)
    assert (found.seeds, found.faces) == ((0, 3), int((~fitted).sum()))
    one = fit_temperature(logits[fitted], labels[fitted])
    assert found.temperatures == pytest.approx((one, 2 * one), rel=1e-4)
    assert abs(fit_temperature(logits[~fitted], labels[~fitted]) - one) > 1e-3
    assert found.temperatures[0] == run_temperature(runs[0])
    losses = [mean_nll(each.logits[~fitted], each.labels[~fitted]) for each in runs.values()]
    assert found.before.nll == pytest.approx(np.mean(losses))
    alone = arm_calibration("mine", {0: runs[0]})
    assert alone.after.nll < alone.before.nll
    assert alone.after.ece < 1.5 * alone.after.chance
    assert alone.before.ece > 5 * alone.before.chance
    assert sum(each.faces for each in found.drawn_after.bins) == 2 * found.faces


def test_arms_without_usable_logits_have_no_calibration() -> None:
    logits, labels = drawn(50, 1.0)
    good = {"logits": logits, "labels": labels, "value": 0.5}
    broken = good | {"logits": np.full_like(logits, np.nan)}
    runs = [
        ArmRun("a", 0, **good),
        ArmRun("a", 1, **broken),
        ArmRun("b", 0, **broken),
        ArmRun("c", 0, value=0.5),
        ArmRun("d", 0, state="FAIL", logits=logits, labels=labels),
    ]
    assert [(each.arm, each.seeds) for each in arm_calibrations(runs)] == [("a", (0,))]
