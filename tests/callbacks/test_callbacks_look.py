from __future__ import annotations

import logging
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lightning.callbacks.inspection import Findings, InspectionCallback
from fer_lightning.config.compose import compose_config
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.errors import ConfigError
from fer_lightning.explain.subject import Subject
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.training.checkpoints import load_classifier, read_checkpoint
from fer_lightning.training.train import train
from tiny_words import TINY

THREE_EPOCHS = [word for word in TINY if not word.startswith("trainer.max_epochs")] + ["trainer.max_epochs=3"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Everything that training leaves: weights, buffers, and the optimizer's state of every parameter."""
    stored = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    state = stored["optimizer_states"][0]["state"]
    moments = {f"{number}.{key}": value for number, each in state.items() for key, value in each.items()}
    return dict(stored["state_dict"]) | moments


def assert_same(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(second[key])), key


class Rude(InspectionCallback):
    """Does to the model and the random states whatever a careless look could do, then fails."""

    def __init__(self, folder: Path, when: int | str = 1) -> None:
        super().__init__(folder, when)
        self.looks = 0

    def inspect(self, subject: Subject, folder: Path) -> Findings:
        self.looks += 1
        random.random()
        np.random.rand(3)  # noqa: NPY002
        torch.rand(3)
        subject.module.train()
        subject.module.model.register_forward_hook(lambda *_: torch.zeros(1))
        with torch.no_grad():
            for value in subject.module.state_dict().values():
                value.fill_(7)
        images = torch.rand(4, 1, 48, 48)
        subject.module.requires_grad_(True)
        subject.module.normalization(images).sum()
        raise RuntimeError("this look\nfails")


def test_a_look_that_does_its_worst_is_said_once_and_changes_nothing(tmp_path, caplog):
    train(compose_config(THREE_EPOCHS), tmp_path / "plain")
    rude = Rude(tmp_path)
    late = Rude(tmp_path, "best")
    with caplog.at_level(logging.WARNING):
        result = train(compose_config(THREE_EPOCHS), tmp_path / "rude", extra_callbacks=[rude, late])
    assert (rude.looks, late.looks, result.epochs) == (3, 1, 3)
    said = [record.getMessage() for record in caplog.records if "Rude" in record.getMessage()]
    assert said == ["Rude failed; training goes on without it (RuntimeError: this look fails)"] * 2
    assert_same(tmp_path / "plain", tmp_path / "rude")


class Seeing(InspectionCallback):
    """Keeps what it saw."""

    def __init__(self, folder: Path, when: int | str) -> None:
        super().__init__(folder, when)
        self.seen: list[tuple[str, Path, dict[str, torch.Tensor]]] = []
        self.logits: list[torch.Tensor] = []

    def inspect(self, subject: Subject, folder: Path) -> Findings:
        module = subject.module
        assert not any(each.training for each in module.modules())
        assert not any(each.requires_grad for each in module.parameters())
        pictures = subject.pictures
        images = as_tensor(pictures.images(np.arange(len(pictures.labels)))).float().requires_grad_()
        logits = module(images)
        logits.sum().backward()  # gradients with respect to faces are there
        assert images.grad is not None
        self.seen.append((subject.weights, folder, {k: v.clone() for k, v in module.state_dict().items()}))
        self.logits.append(logits.detach())
        return Findings(metrics={f"seen/{self.when}": float(len(self.seen))})


AVERAGED = ["model=fast", "model.widths=[4,8]", "callbacks=[default,ema]", "callbacks.ema.decay=0.9"]


@pytest.fixture(scope="module", params=[[], AVERAGED], ids=["plain", "averaged"])
def looks(tmp_path_factory, request):
    """A run of three epochs whose metric is best in some epoch, looked at in every way."""
    folder = tmp_path_factory.mktemp("looks") / "run"
    found = {when: Seeing(folder, when) for when in ("best", "end", 1, 2)}
    result = train(
        compose_config([*THREE_EPOCHS, "optimizer.lr=0.02", *request.param]),
        folder,
        extra_callbacks=list(found.values()),
    )
    return folder, found, result


def test_looks_come_when_they_should_at_the_weights_they_should(looks):
    folder, found, result = looks
    best = result.record["best"]["epoch"] + 1
    assert [words for words, _, _ in found["best"].seen] == [f"best epoch {best}"]
    assert [words for words, _, _ in found["end"].seen] == ["epoch 3"]
    assert [words for words, _, _ in found[1].seen] == ["epoch 1", "epoch 2", "epoch 3"]
    assert [(words, path) for words, path, _ in found[2].seen] == [("epoch 2", folder / "epochs" / "002")]
    for look, name in ((found["best"], "best"), (found["end"], "last"), (found[1], "last")):
        kept = load_classifier(folder / "checkpoints" / f"{name}.ckpt").state_dict()
        assert all(torch.equal(value, kept[key]) for key, value in look.seen[-1][2].items())
    logits = read_predictions(folder / "val_logits.npz").logits
    assert found["best"].logits[0].numpy() == pytest.approx(logits, abs=1e-4)
    assert found[1].logits[best - 1].numpy() == pytest.approx(logits, abs=1e-4)


def test_metrics_of_a_look_stand_beside_those_of_its_epoch(looks):
    folder, _, _ = looks
    rows = read_metrics(folder / "metrics.csv")
    assert [row.get("seen/1") for row in rows] == [1.0, 2.0, 3.0]
    assert [row.get("seen/2") for row in rows] == [None, 1.0, None]
    assert not any(key in row for row in rows for key in ("seen/best", "seen/end"))


def test_where_nothing_is_validated_the_last_epoch_is_seen(tmp_path):
    look = Seeing(tmp_path, "best")
    train(compose_config([*THREE_EPOCHS, "data.train_on=train_val"]), tmp_path, extra_callbacks=[look])
    assert [words for words, _, _ in look.seen] == ["epoch 3"]
    assert len(look.logits[0]) == 96  # the training faces


@pytest.mark.parametrize("when", ["worst", 0, -1, True, 1.5])
def test_when_must_be_a_time(when):
    with pytest.raises(
        ConfigError, match=f"when={str(when).lower()}: expected one of best, end, or every how many epochs"
    ):
        Seeing(Path(), when)
