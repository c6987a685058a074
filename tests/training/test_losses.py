"""The focal loss, losses of one's own, and what they go with."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import own_parts
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError
from fer_lightning.training.build import build_data
from fer_lightning.training.build_loss import build_loss
from fer_lightning.training.loss import TrainingLoss
from training_runs import StopAfter, measured, run

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -0.2], [-3.0, 8.0, 1.0], [1.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 2, 1, 1])


def loss_of(tiny: list[str], *words: str):
    config = compose_config([*tiny, *words])
    check_config(config)
    return build_loss(config.loss, build_data(config), {})


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_focal_loss_is_that_of_the_paper(gamma):
    p = LOGITS.softmax(1)[torch.arange(4), LABELS]
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    assert TrainingLoss(focal_gamma=gamma)(LOGITS, LABELS).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("targets", [LABELS, torch.tensor([[0.2, 0.5, 0.3]]).expand(4, 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 3.0, 0.5])])
def test_the_focal_loss_tends_to_cross_entropy_with_every_option(targets, smoothing, weights):
    expected = functional.cross_entropy(LOGITS, targets, weight=weights, label_smoothing=smoothing)
    for gamma, within in ((0.0, 1e-7), (1e-6, 1e-4)):
        loss = TrainingLoss(focal_gamma=gamma, label_smoothing=smoothing, class_weights=weights)
        assert loss(LOGITS, targets).item() == pytest.approx(expected.item(), rel=within)


def test_the_focal_loss_has_a_gradient_where_a_face_is_sure():
    logits = torch.tensor([[90.0, -90.0]], requires_grad=True)
    TrainingLoss(focal_gamma=0.5)(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()


def test_a_loss_gets_the_targets_that_it_takes(tiny):
    own = loss_of(tiny, "loss._target_=own_parts.Brier")
    shares = functional.one_hot(LABELS, 3).float()
    assert own(LOGITS, LABELS) == pytest.approx(own_parts.Brier()(LOGITS, shares).mean().item())
    margin = loss_of(tiny, "loss._target_=own_parts.Margin", "loss.margin=0.5")
    logits = torch.randn(4, 7)
    expected = functional.multi_margin_loss(logits, LABELS, margin=0.5)
    assert margin(logits, LABELS).item() == pytest.approx(expected.item())


def test_functions_and_pytorchs_own_losses_are_losses_too(tiny):
    poly = loss_of(tiny, "loss._target_=own_parts.poly", "loss.epsilon=2", "loss.label_smoothing=0.1")
    smooth = functional.one_hot(LABELS, 3) * 0.9 + 0.1 / 3
    assert poly(LOGITS, LABELS).item() == pytest.approx(own_parts.poly(LOGITS, smooth, 2).mean().item())
    words = ["loss._target_=torch.nn.CrossEntropyLoss", "loss.class_weights=[1,2,3,4,5,6,7]"]
    weighted = loss_of(tiny, *words, "loss.label_smoothing=0.1")
    logits = torch.randn(4, 7)
    soft = functional.one_hot(LABELS, 7) * 0.9 + 0.1 / 7
    expected = functional.cross_entropy(logits, soft, weight=torch.arange(1.0, 8))
    assert weighted(logits, LABELS).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["own_parts.absent"], "loss._target_=own_parts.absent: cannot be imported"),
        (["own_parts.Margin", "loss.margni=2"], "loss.margni: no such key; did you mean loss.margin?"),
        (
            ["own_parts.Margin", "loss.label_smoothing=0.1"],
            "loss.label_smoothing=0.1 with loss._target_=own_parts.Margin: the loss takes no probabilities as targets",
        ),
        (
            ["own_parts.Brier", "loss.class_weights=balanced"],
            "loss.class_weights=balanced with loss._target_=own_parts.Brier: the loss takes none; expected a parameter",
        ),
        (
            ["own_parts.Brier", "loss.focal_gamma=2"],
            "loss.focal_gamma=2 with loss._target_=own_parts.Brier: the loss is not cross-entropy; expected 0",
        ),
        (
            ["own_parts.square"],
            "with probabilities as targets it returns [3, 7] for 3 faces; expected one number",
        ),
        (["own_parts.fixed"], "loss: own_parts.fixed returns what has no gradient"),
    ],
)
def test_what_does_not_go_together_is_one_line(tiny, words, message):
    with pytest.raises(ConfigError) as caught:
        loss_of(tiny, f"loss._target_={words[0]}", *words[1:])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistyped_option_is_still_one_line(tiny):
    with pytest.raises(ConfigError, match=r"loss\.mixpu: no such key; did you mean loss\.mixup\?"):
        loss_of(tiny, "loss.mixpu=0.2")


def test_a_run_with_a_loss_and_balanced_batches_is_resumed_as_it_was(tmp_path, tiny):
    own = [
        "loss._target_=own_parts.Margin",
        "loss.mixup=0.2",
        "data.sampling=balanced",
        "data.steps_per_epoch=4",
    ]
    words = [*own, "trainer.max_epochs=2"]
    whole = run(tmp_path / "whole", tiny, *words)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", tiny, *words, callbacks=[StopAfter(1)])
    run(tmp_path / "parts", tiny, *words, "resume=true")
    assert whole.epochs == 2
    assert measured(tmp_path / "whole") == measured(tmp_path / "parts")
    with pytest.raises(ConfigError, match=r"data\.sampling=shuffled"):
        run(tmp_path / "parts", tiny, *words, "data.sampling=shuffled", "resume=true")
