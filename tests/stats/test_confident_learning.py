"""Confident learning against a case by hand, a second implementation from the paper's words, and properties."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.stats.confident_learning import (
    class_thresholds,
    confident_joint,
    doubtful,
    joint_distribution,
    margin,
    probable_classes,
    self_confidence,
    suggested_classes,
)

# Thresholds are 0.6 and 0.7: the mean probability of each label in its own faces.
PROBABILITIES = np.array(
    [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], dtype=np.float64
)
LABELS = np.array([0, 0, 0, 1, 1, 1, 1])


def test_a_case_by_hand() -> None:
    assert class_thresholds(PROBABILITIES, LABELS) == pytest.approx([0.6, 0.7])
    assert probable_classes(PROBABILITIES, LABELS).tolist() == [0, 0, 1, 1, 1, -1, 1]
    counts = confident_joint(PROBABILITIES, LABELS)
    assert counts.tolist() == [[2, 1], [0, 3]]
    # Rows are brought to 3/7 and 4/7 of all faces.
    assert joint_distribution(counts, LABELS) == pytest.approx(np.array([[2, 1], [0, 4]]) / 7)
    for selection in ("off_diagonal", "by_class", "by_noise_rate"):
        assert np.flatnonzero(doubtful(PROBABILITIES, LABELS, selection)).tolist() == [2]
    assert suggested_classes(PROBABILITIES, LABELS)[2] == 1
    assert self_confidence(PROBABILITIES, LABELS)[2] == pytest.approx(0.1)
    assert margin(PROBABILITIES, LABELS)[[0, 2]] == pytest.approx([0.8, -0.8])


def test_a_class_without_faces_has_no_threshold_and_counts_nothing() -> None:
    probabilities = np.array([[0.2, 0.2, 0.6], [0.3, 0.6, 0.1]])
    labels = np.array([0, 1])
    assert class_thresholds(probabilities, labels).tolist() == [0.2, 0.6, np.inf]
    assert confident_joint(probabilities, labels).sum(axis=0).tolist() == [1, 1, 0]
    joint = joint_distribution(confident_joint(probabilities, labels), labels)
    assert joint.tolist() == [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0]]


def by_the_papers_words(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[list[list[int]], set[int], set[int], set[int]]:
    """Equation 1 and the ways to prune, face by face; Northcutt et al. 2021, sections 3.1 and 3.2."""
    count, classes = probabilities.shape
    means = []
    for j in range(classes):
        own = [probabilities[x, j] for x in range(count) if labels[x] == j]
        means.append(sum(own) / len(own) if own else float("inf"))
    joint, off = [[0] * classes for _ in range(classes)], set()
    for x in range(count):
        over = [j for j in range(classes) if probabilities[x, j] >= means[j] - 1e-9]
        if over:
            found = max(over, key=lambda j: (probabilities[x, j], -j))
            joint[labels[x]][found] += 1
            if found != labels[x]:
                off.add(x)
    by_class, by_rate = set(), set()
    for i in range(classes):
        faces = [x for x in range(count) if labels[x] == i]
        total = sum(joint[i])
        share = [Fraction(n * len(faces), total or 1) for n in joint[i]]
        faces.sort(key=lambda x: probabilities[x, i])
        by_class |= set(faces[: math.floor(sum(share) - share[i] + Fraction(1, 2))])
        for j in range(classes):
            if j != i:
                most = sorted(faces, key=lambda x: probabilities[x, i] - probabilities[x, j])
                by_rate |= set(most[: math.floor(share[j] + Fraction(1, 2))])
    same = {x for x in range(count) if int(np.argmax(probabilities[x])) == labels[x]}
    return joint, off - same, by_class - same, by_rate - same


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(5, 60))
def test_it_is_what_the_paper_says(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.6), count)
    labels = np.where(rng.random(count) < 0.7, probabilities.argmax(1), rng.integers(0, classes, count))
    joint, *chosen = by_the_papers_words(probabilities, labels)
    assert confident_joint(probabilities, labels).tolist() == joint
    for selection, faces in zip(("off_diagonal", "by_class", "by_noise_rate"), chosen, strict=True):
        assert set(np.flatnonzero(doubtful(probabilities, labels, selection)).tolist()) == faces
    assert joint_distribution(np.array(joint), labels).sum() == pytest.approx(1)
    assert not np.any(suggested_classes(probabilities, labels) == labels)
    # A name for the classes makes no difference, nor the order of the faces.
    order, names = rng.permutation(count), rng.permutation(classes)
    renamed = np.empty_like(probabilities)
    renamed[:, names] = probabilities
    again = doubtful(renamed[order], names[labels][order])
    assert np.array_equal(again, doubtful(probabilities, labels)[order])


def test_planted_errors_are_found_by_a_model_that_knows() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 7, 3000)
    wrong = rng.random(3000) < 0.1
    labels = np.where(wrong, (true + rng.integers(1, 7, 3000)) % 7, true)
    probabilities = 0.85 * np.eye(7)[true] + 0.15 * rng.dirichlet(np.ones(7), 3000)
    assert np.array_equal(doubtful(probabilities, labels), wrong)
    assert np.array_equal(suggested_classes(probabilities, labels)[wrong], true[wrong])
