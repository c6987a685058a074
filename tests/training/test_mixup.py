from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from fer_lightning.data.augmentation import Augmentation
from fer_lightning.training.loss import TrainingLoss
from fer_lightning.training.module import ExpressionClassifier
from training_runs import measured, run


class Probe(nn.Module):
    """A dense net that keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.seen = torch.empty(0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images
        return self.layer(images.flatten(1) / 100)


def probed(**options: Any) -> tuple[Probe, ExpressionClassifier]:
    """Return a classifier of two classes whose net keeps what it is given, and that net."""
    probe = Probe()
    loss = TrainingLoss(label_smoothing=0.1, **options)
    return probe, ExpressionClassifier(
        probe, nn.Identity(), Augmentation(), class_names=("a", "b"), loss=loss
    )


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 3.0])])
def test_faces_and_targets_are_blended_by_one_share(weights):
    torch.manual_seed(3)
    probe, module = probed(mixup=0.8, class_weights=weights)
    # Class 0 is black and class 1 has level 100, so what a face was blended with can be read from its level.
    labels = torch.arange(40) % 2
    images = (labels.float() * 100).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    shares = []
    for number in range(20):
        loss = module.training_step((images, labels, torch.arange(40)), number)
        levels = probe.seen[:, 0, 0, 0]
        blended = levels != images[:, 0, 0, 0]
        partners = torch.where(blended, 1 - labels, labels)
        (rest,) = levels[blended & (labels == 0)].unique()
        share = 1 - rest.item() / 100
        assert torch.allclose(levels, 100 * torch.lerp(partners.float(), labels.float(), share))
        logits = module(probe.seen)
        expected = share * module.loss(logits, labels) + (1 - share) * module.loss(logits, partners)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
        shares.append(share)
    assert 0.5 <= min(shares) < 0.65 < 0.9 < max(shares) < 1


def test_the_same_seed_blends_alike(tmp_path, tiny):
    for name in ("a", "b"):
        run(tmp_path / name, tiny, "loss.mixup=0.2", "trainer.max_epochs=2")
    run(tmp_path / "plain", tiny, "trainer.max_epochs=2")
    assert measured(tmp_path / "a") == measured(tmp_path / "b") != measured(tmp_path / "plain")
