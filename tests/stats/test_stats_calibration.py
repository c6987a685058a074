"""What the intervals and verdicts are worth, measured on simulated studies with known effects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from study_simulation import StudyModel, simulate_correct

from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.crossed import components, mean_squares, p_value
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.rules import Rules

STUDIES = 600
ARMS = 8
# Three standard errors of a share of 5 % over the studies: what chance alone may add.
ALLOWANCE = 3 * math.sqrt(0.05 * 0.95 / STUDIES)
STRUCTURES = {
    "small CNNs on FER2013": {},
    "arms alike": {"arm_image": 0.0, "arm_seed": 0.0},
    "seeds differ much": {"arm_image": 0.3, "arm_seed": 0.2},
    "one unstable arm": {"arm_seed": (0.03,) * ARMS + (0.6,)},
}
NONE = (0.0,) * ARMS
MIXED = (0.03, -0.03, 0.01, -0.01, 0.0, 0.0, 0.0, 0.0)


def p_values(structure, effects, n_seeds, truth=0.0, n_images=400, studies=STUDIES):
    """p-values [studies, arms] of "the difference is `truth`"."""
    model = StudyModel(effects=effects, **structure)
    rng = np.random.default_rng(n_seeds)
    found = []
    for start in range(0, studies, 100):
        correct = simulate_correct(model, min(100, studies - start), n_seeds, n_images, rng).astype(
            np.float32
        )
        found.append(p_value(mean_squares(correct[:, 1:] - correct[:, :1]), np.asarray(truth)))
    return np.concatenate(found)


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_intervals_hold_the_true_difference_as_often_as_they_say(structure, n_seeds):
    # The interval holds the truth if and only if the truth is not rejected (tested with the tail function).
    covered = p_values(structure, MIXED, n_seeds, truth=MIXED) >= 0.05
    assert 0.93 <= covered.mean() <= 0.97
    # Arms with and without an effect alike, the unstable one too.
    assert covered.mean(axis=0).min() >= 0.93 - ALLOWANCE


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_without_any_effect_few_arms_are_called(structure, n_seeds):
    p = p_values(structure, NONE, n_seeds)
    assert (p <= 0.05).mean() <= 0.05 + ALLOWANCE
    # Holm calls some arm exactly where the smallest p-value passes its first step.
    assert (p.min(axis=1) * ARMS <= 0.05).mean() <= 0.05 + ALLOWANCE


@pytest.mark.slow
def test_where_arms_differ_by_image_and_seeds_do_not_three_seeds_err_on_the_safe_side():
    covered = p_values({"arm_image": 1.0, "arm_seed": 0.0}, MIXED, 3, truth=MIXED) >= 0.05
    assert 0.95 <= covered.mean() <= 0.985


def test_a_quick_look_at_three_seeds():
    p = p_values({}, (0.0,) * 4, 3, n_images=150, studies=500)
    assert (p <= 0.05).mean() <= 0.06
    assert (p <= 0.05).mean() >= 0.01  # not by never calling anything
    far = p_values({}, (0.2,) * 4, 5, n_images=300, studies=100)
    assert (far <= 0.05).mean() > 0.95


@pytest.mark.slow
def test_whole_reports_call_effects_that_are_there_and_no_others():
    """From logits to words, over 20 studies of three arms with five seeds."""
    model = StudyModel(effects=(0.15, -0.15, 0.0))
    rng = np.random.default_rng(0)
    labels = np.arange(500) % 7
    words = {"up": [], "down": [], "none": []}
    for correct in simulate_correct(model, 20, 5, 500, rng):
        runs = []
        for name, table in zip(("base", *words), correct, strict=True):
            for seed, right in enumerate(table):
                logits = np.eye(7, dtype=np.float32)[np.where(right, labels, (labels + 1) % 7)]
                runs.append(ArmRun(name, seed, value=float(right.mean()), logits=logits, labels=labels))
        report = ablation_report(runs, "base", rules=Rules(n_resamples=0))
        for name, found in words.items():
            found.append(report.arm(name).verdict)
    assert words["up"].count("better") >= 18
    assert words["down"].count("worse") >= 18
    assert words["up"].count("worse") == words["down"].count("better") == 0
    assert words["none"].count("no difference found") >= 18


def test_simulated_accuracies_are_those_asked_for():
    model = StudyModel(effects=(0.1, -0.2), accuracy=0.6)
    correct = simulate_correct(model, 400, 4, 300, np.random.default_rng(0))
    assert correct.shape == (400, 3, 4, 300)
    assert correct.mean(axis=(0, 2, 3)) == pytest.approx([0.6, 0.7, 0.4], abs=0.006)
    with pytest.raises(ValueError, match=r"accuracy 0.6 with effect 0.5"):
        StudyModel(effects=(0.5,), accuracy=0.6)


def test_simulated_spreads_are_those_measured_on_small_cnns():
    tables = simulate_correct(StudyModel(), 40, 4, 1500, np.random.default_rng(0)).astype(np.float32)
    base = [float(np.sqrt(np.mean(c**2))) for c in components(mean_squares(tables[:, 0]))]
    difference = [
        float(np.sqrt(np.mean(c**2))) for c in components(mean_squares(tables[:, 1] - tables[:, 0]))
    ]
    assert base[1:] == pytest.approx([0.40, 0.29], abs=0.02)
    assert difference[1:] == pytest.approx([0.12, 0.38], abs=0.03)
    assert 0.002 < difference[0] < 0.01
