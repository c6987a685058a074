from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from fer_lightning.training.metrics import classification_metrics, confusion_matrix

NAMES = ("a", "b", "c")


@pytest.fixture
def predictions() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(200, 3, generator=generator), torch.randint(0, 3, (200,), generator=generator)


def test_values_agree_with_scikit_learn(predictions):
    logits, labels = predictions
    measured = classification_metrics(logits, labels, NAMES)
    guess = logits.argmax(1)
    assert measured["acc"] == pytest.approx(reference.accuracy_score(labels, guess))
    assert measured["f1"] == pytest.approx(reference.f1_score(labels, guess, average="macro"))
    assert measured["loss"] == pytest.approx(reference.log_loss(labels, logits.double().softmax(1)), rel=1e-5)
    recalls = reference.recall_score(labels, guess, average=None)
    assert [measured[f"recall/{name}"] for name in NAMES] == pytest.approx(list(recalls))
    assert np.array_equal(confusion_matrix(logits, labels).numpy(), reference.confusion_matrix(labels, guess))


def test_calibration_error_of_a_sure_and_half_right_net_is_a_half():
    logits = torch.tensor([[100.0, 0, 0], [100.0, 0, 0]])
    assert classification_metrics(logits, torch.tensor([0, 1]), NAMES)["ece"] == pytest.approx(0.5, abs=1e-4)


def test_a_class_without_faces_has_no_recall():
    measured = classification_metrics(torch.eye(3), torch.tensor([0, 1, 1]), NAMES)
    assert "recall/c" not in measured
    assert measured["recall/b"] == 0.5


def test_a_diverged_net_has_no_accuracy():
    logits = torch.tensor([[math.nan, 0.0, 0.0]])
    assert math.isnan(classification_metrics(logits, torch.tensor([0]), NAMES)["acc"])
