"""What could be known before a training is said before it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.optim import SGD

from fer_lightning.config.combinations import check_combinations
from fer_lightning.config.compose import compose_config
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.training.rehearsal import few_steps
from fer_lightning.training.schedules import one_cycle
from fer_lightning.training.train import train
from training_runs import measured, run

OWN = """
import torch
from torch import nn


class Ten(nn.Module):
    def __init__(self, num_classes=None, image_size=None, outputs=10, channels=1):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.Flatten(), nn.LazyLinear(outputs))
        self.layers(torch.zeros(1, channels, 48, 48))

    def forward(self, images):
        return self.layers(images)


class Fixed(nn.Module):
    def __init__(self, num_classes, image_size):
        super().__init__()
        self.layer = nn.Linear(image_size**2, num_classes).requires_grad_(False)

    def forward(self, images):
        return self.layer(images.flatten(1))


class Empty(nn.Module):
    def __init__(self, num_classes, image_size):
        super().__init__()

    def forward(self, images):
        return images.flatten(1)[:, :7]


def stairs(optimizer, total_steps, warmup_steps):
    if warmup_steps >= total_steps:
        raise ValueError(f"scheduler.warmup_steps={warmup_steps}: expected less than the training's steps")
    return torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's own."""
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_parts", raising=False)
    return "own_parts"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["metric=val/accuracy"], r"metric=val/accuracy: no run measures it; did you mean val/acc\?"),
        (["metric=val/recall/hapy"], r"metric=val/recall/hapy: no run measures it; did you mean val/recall/happy\?"),
        (["metric=test/acc"], r"metric=test/acc: no run measures it"),
        (
            ["callbacks=[default,early_stopping]", "callbacks.early_stopping.monitor=val/los"],
            r"callbacks\.early_stopping\.monitor=val/los: no run measures it; did you mean val/loss\?",
        ),
        (
            ["callbacks=[default,early_stopping]", "callbacks.early_stopping.monitor=val/loss"],
            r"callbacks\.early_stopping\.mode=max with monitor=val/loss: lower is better",
        ),
        (["trainer.limit_val_batches=0"], r"trainer\.limit_val_batches=0 with metric=val/acc"),
        (["trainer.check_val_every_n_epoch=2"], r"check_val_every_n_epoch=2: expected at most trainer\.max_epochs=1"),
        (["trainer.max_epochs=null"], r"trainer\.max_epochs=null: expected a number of epochs, or trainer\.max_time"),
        (
            ["trainer.max_epochs=null", "trainer.max_time=00:00:00:20"],
            r"scheduler .*one_cycle with trainer\.max_epochs=null: it needs the length",
        ),
        (["trainer.limit_train_batches=0"], r"trainer\.limit_train_batches=0: expected a whole number of at least 1"),
        (["trainer.accumulate_grad_batches=0"], r"accumulate_grad_batches=0: expected a whole number of at least 1"),
        (["+trainer.val_check_interval=0.5"], r"val_check_interval=0\.5: expected 1\.0, one validation an epoch"),
        (["data.batch_size=1"], r"data\.batch_size=1: model: Small cannot be trained on it; expected at least 2"),
        (["trainer.accelerator=tpus"], r"pytorch_lightning\.Trainer: You selected an invalid accelerator"),
        (["trainer.gradient_clip_algorithm=foo"], r"`gradient_clip_algorithm` foo is invalid"),
    ],
)  # fmt: skip
def test_what_cannot_come_to_anything_is_refused_before_any_work(tmp_path, tiny, words, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(tmp_path, tiny, *words)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"_target_": "Empty"}, r"model: Empty has no trainable parameter; expected at least one"),
        ({"_target_": "Fixed"}, r"model: Fixed has no trainable parameter"),
        ({}, r"model: Ten returns \[2, 10\] for a batch of \[2, 1, 48, 48\].*expected \[2, 7\], one output for each"),
        ({"channels": 3}, r"model: Ten cannot take a batch of \[2, 1, 48, 48\] .*expected input.*3 channels"),
    ],
)  # fmt: skip
def test_a_net_of_ones_own_is_called_before_training(tmp_path, tiny, own, options, message):
    config = compose_config(tiny)
    config.model = {**options, "_target_": f"{own}.{options.get('_target_', 'Ten')}"}
    with pytest.raises(ConfigError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_metrics_of_a_class_and_of_training_may_decide(tmp_path, tiny):
    assert run(tmp_path / "a", tiny, "metric=val/recall/happy").value is not None
    found = run(tmp_path / "b", tiny, "metric=train/loss", "mode=min", "trainer.limit_val_batches=0")
    assert found.value == measured(tmp_path / "b")[0]["train/loss"]


def test_a_training_may_end_by_time_or_steps_at_a_constant_rate(tmp_path, tiny):
    words = ["trainer.max_epochs=null", "scheduler=constant"]
    timed = run(tmp_path / "time", tiny, *words, "trainer.max_time=00:00:00:02")
    assert timed.record["status"] == "complete"
    assert 1 <= timed.epochs < 1000
    counted = run(tmp_path / "steps", tiny, "trainer.max_epochs=null", "+trainer.max_steps=6")
    assert [row["step"] for row in measured(tmp_path / "steps")] == [3, 6]
    assert counted.record["status"] == "complete"


@pytest.mark.parametrize("warmup", [0.01, 0.1, 0.3, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 100])
def test_the_cycle_has_a_rate_at_every_step_of_any_length(warmup, steps):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = one_cycle(optimizer, steps, warmup=warmup)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    assert all(0 < rate <= 1 for rate in rates)
    if steps > 1:
        peak = rates.index(max(rates))
        assert abs(peak - max(0, warmup * steps - 1)) < 1
        assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_a_schedule_is_judged_by_the_real_number_of_steps(tmp_path, tiny, own):
    config = compose_config(tiny)
    config.scheduler = {"_target_": f"{own}.stairs", "_partial_": True, "warmup_steps": 4}
    with pytest.raises(ConfigError, match=r"warmup_steps=4: .*, in a training of 3 steps"):
        train(config, tmp_path / "short")
    config.trainer.max_epochs = 2
    assert train(config, tmp_path / "long").epochs == 2


def test_a_schedule_that_needs_no_length_is_given_none(tmp_path, tiny):
    config = compose_config([*tiny, "trainer.max_epochs=2"])
    step_lr = {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3, "gamma": 0.1}
    config.scheduler = {**step_lr, "_partial_": True}
    train(config, tmp_path)
    assert [row["lr"] for row in measured(tmp_path)] == pytest.approx([1e-3, 1e-4])


def test_a_schedule_with_a_length_of_its_own_needs_no_length_of_training():
    words = ["trainer.max_epochs=null", "trainer.max_time=00:00:00:02", "scheduler=cosine"]
    with pytest.raises(ConfigError, match="it needs the length of the training"):
        check_combinations(compose_config(words))
    check_combinations(compose_config([*words, "+scheduler.total_steps=100"]))


def test_a_last_batch_of_one_face_is_left_out(tmp_path, tiny):
    assert run(tmp_path, tiny, "data.drawing.n_train=97", "data.batch_size=32").record["status"] == "complete"
    assert measured(tmp_path)[0]["step"] == 3


def test_the_rehearsal_changes_nothing_of_the_training(tmp_path, tiny, monkeypatch):
    words = ["model=cnn_pad", "model.norm=batch", "model.dropout=0.3"]
    run(tmp_path / "with", tiny, *words)
    monkeypatch.setattr("fer_lightning.training.setup.rehearse", lambda module, data: None)
    run(tmp_path / "without", tiny, *words)
    assert measured(tmp_path / "with") == measured(tmp_path / "without")


def test_overfitting_a_batch_learns_the_same_faces_by_heart(tmp_path, tiny):
    words = [
        *tiny,
        "debug=overfit",
        "data.fraction=1.0",
        "trainer.overfit_batches=1",
        "trainer.max_epochs=40",
    ]
    seen: list[set[int]] = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            seen.append(set(batch[2].tolist()))

    train(compose_config(words), tmp_path, extra_callbacks=[Watch()])
    assert len(seen) == 40
    assert all(faces == seen[0] for faces in seen)
    assert len(seen[0]) == 32
    rows = measured(tmp_path)
    assert rows[-1]["train/acc"] == 1.0
    assert rows[-1]["val/acc"] < 1.0


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "data.path=fer2013.zip",
            r"data\.path=fer2013\.zip: data=synthetic does not use it; expected data=fer2013 or",
        ),
        ("+data.val_fraction=0.3", r"data\.val_fraction=0\.3: data=synthetic does not use it"),
    ],
)
def test_a_key_of_other_data_is_refused(tmp_path, tiny, word, message):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, tiny, word)
    with pytest.raises(
        ConfigError, match=r"data\.drawing=.*: data=fer2013 does not use it; expected data=synthetic"
    ):
        FaceDataModule("fer2013", "fer2013.zip", drawing={"n_train": 20})


def test_a_share_of_no_batch_is_one_line(tmp_path, tiny):
    with pytest.raises(
        ConfigError,
        match=r"trainer\.limit_train_batches=0\.01: is less than one of the 3 batches of train images",
    ):
        run(tmp_path, tiny, "trainer.limit_train_batches=0.01")


def test_a_batch_that_leaves_hardly_any_steps_is_named():
    faces = torch.arange(70 * 256).reshape(70, 16, 16).to(torch.uint8).numpy()
    split = ["train"] * 60 + ["val"] * 10

    def hint(batch_size: int, **trainer: object) -> str:
        data = FaceDataModule.from_arrays(
            faces, torch.arange(70).numpy() % 2, split=split, batch_size=batch_size
        )
        return few_steps(trainer, data)

    assert hint(128, max_epochs=6) == (
        "1 step an epoch, 6 in all: data.batch_size=128 of 60 training images; a smaller data.batch_size trains in "
        "more steps"
    )
    assert hint(30, max_epochs=None).startswith("2 steps an epoch: data.batch_size=30 of 60")
    for other in (hint(20, max_epochs=6), hint(128, max_epochs=100), hint(128, limit_train_batches=1)):
        assert other == ""
