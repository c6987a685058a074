from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from packaging.version import Version

from fer_lightning.config.compose import compose_config
from fer_lightning.errors import ConfigError, DataError, TrainingDivergedError
from fer_lightning.evaluation.evaluate import data_of, predict_split
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.training.checkpoints import load_classifier, read_checkpoint
from fer_lightning.training.module import CHECKPOINT_KEY
from fer_lightning.training.train import train
from training_runs import StopAfter, measured, run, weights


def test_a_run_leaves_everything_about_itself(tmp_path, tiny):
    result = run(tmp_path, tiny, "note=first", "seed=5", "trainer.max_epochs=2")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"config.yaml", "run.json", "metrics.csv", "history.png", "val_logits.npz", "checkpoints"} <= names
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["note"] == "first"
    assert record["seed"] == 5
    assert record["epochs"] == 2
    assert record["data"]["synthetic"] is True
    assert record["data"]["faces"] == {"train": 96, "val": 48, "test": 48}
    assert len(record["data"]["fingerprint"]) >= 16
    assert record["code"] == {}  # none but the project's own
    assert Version(record["versions"]["torch"]).public == Version(torch.__version__).public  # any build
    assert record["best"]["val/acc"] == result.value == max(row["val/acc"] for row in measured(tmp_path))


def test_a_profile_is_written_into_the_folder(tmp_path, tiny):
    run(tmp_path, tiny, "trainer.profiler=simple")
    assert "run_training_epoch" in (tmp_path / "fit-profile.txt").read_text()


def test_stored_logits_are_those_of_the_best_checkpoint(tmp_path, tiny):
    result = run(tmp_path, tiny, "trainer.max_epochs=4", "optimizer.lr=0.01")
    stored = read_predictions(tmp_path / "val_logits.npz")
    assert stored.correct.mean() == pytest.approx(result.value)
    module = load_classifier(tmp_path / "checkpoints" / "best.ckpt")
    again = predict_split(module, data_of(module, {}), "val")
    assert np.array_equal(again.ids, stored.ids)
    assert np.array_equal(again.labels, stored.labels)
    softened = torch.from_numpy(stored.logits).log_softmax(1).numpy()
    assert again.logits == pytest.approx(softened, abs=1e-4)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(tmp_path, tiny):
    options = ["trainer.max_epochs=2", "augmentation=keras_like", "model.dropout=0.3"]
    run(tmp_path / "a", tiny, *options)
    run(tmp_path / "b", tiny, *options)
    run(tmp_path / "c", tiny, *options, "seed=1")
    assert measured(tmp_path / "a") == measured(tmp_path / "b") != measured(tmp_path / "c")
    first, second = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("within", [False, True], ids=["between epochs", "within an epoch"])
@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["callbacks=[default,ema]", "data.steps_per_epoch=4"],
        [
            *["model=fast", "model.widths=[4,8]", "optimizer=muon", "callbacks=[default,ema]"],
            *["augmentation=crop", "augmentation.crop=16", "augmentation.growth=[[0.0,12],[0.6,16]]"],
            *["loss.mixup=0.2", "trainer.check_val_every_n_epoch=2"],
        ],
    ],
    ids=["plain", "ema", "fast"],
)
def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(tmp_path, tiny, within, extra):
    options = ["trainer.max_epochs=4", "augmentation=keras_like", "optimizer.lr=0.01", *extra]
    run(tmp_path / "whole", tiny, *options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", tiny, *options, callbacks=[StopAfter(2, within=within)])
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["status"] == "interrupted"
    run(tmp_path / "parts", tiny, *options, "resume=true")
    whole, parts = measured(tmp_path / "whole"), measured(tmp_path / "parts")
    assert [row["epoch"] for row in parts] == [0, 1, 2, 3]
    assert whole == parts
    before, after = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(before[key], after[key]) for key in before)
    best = [read_predictions(tmp_path / name / "val_logits.npz").logits for name in ("whole", "parts")]
    assert np.array_equal(best[0], best[1])
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["continued_after_epochs"] == 2


def test_resuming_another_model_or_other_faces_is_refused(tmp_path, tiny):
    run(tmp_path, tiny)
    with pytest.raises(ConfigError, match=r"model\.activation=selu: .*last\.ckpt was trained with relu"):
        run(tmp_path, tiny, "resume=true", "model.activation=selu")
    with pytest.raises(
        ConfigError, match=r"was trained with another optimizer, torch\.optim\.Adam; expected"
    ):
        run(tmp_path, tiny, "resume=true", "optimizer=sgd")
    with pytest.raises(ConfigError, match="trained on other data"):
        run(tmp_path, tiny, "resume=true", "data.drawing.seed=9")
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs=3: .* planned over 1 epochs"):
        run(tmp_path, tiny, "resume=true", "trainer.max_epochs=3")
    with pytest.raises(ConfigError, match="no such checkpoint or run folder"):
        run(tmp_path, tiny, f"resume={tmp_path}/nothing.ckpt")


def test_settings_that_an_older_checkpoint_does_not_know_are_those_that_were(tmp_path, tiny):
    run(tmp_path, tiny, "scheduler=constant")
    path = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint = read_checkpoint(path)
    for group, key in (("loss", "mixup"), ("augmentation", "growth"), ("data", "eval_fraction")):
        checkpoint[CHECKPOINT_KEY]["config"][group].pop(key, None)
    # Elsewhere first: what was read is still mapped from the file.
    torch.save(checkpoint, tmp_path / "older.ckpt")
    (tmp_path / "older.ckpt").replace(path)
    longer = ["scheduler=constant", "trainer.max_epochs=2", "resume=true"]
    with pytest.raises(ConfigError, match=r"loss\.mixup=0\.5: .*last\.ckpt was trained without it; expected"):
        run(tmp_path, tiny, *longer, "loss.mixup=0.5")
    assert run(tmp_path, tiny, *longer).epochs == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("data.batch_size=8", r"data\.batch_size=8: .* was trained with 32; expected the same to go on"),
        ("data.fraction=0.5", r"data\.fraction=0\.5: .* was trained with 1\.0"),
        ("data.steps_per_epoch=2", r"data\.steps_per_epoch=2: .* was trained without it"),
        ("data.exclude=[leaked]", r"data\.exclude=\['leaked'\]: .* was trained with \[\]"),
        ("trainer.accumulate_grad_batches=2", r"trainer\.accumulate_grad_batches=2: .* with 1"),
        ("trainer.precision=bf16-mixed", r"trainer\.precision=bf16-mixed: .* was trained with 32-true"),
        ("loss.mixup=0.5", r"loss\.mixup=0\.5: .* was trained with 0\.0"),
        ("augmentation.zoom=0.3", r"augmentation\.zoom=0\.3: .* was trained with 0\.0"),
        ("data.split_seed=1", r"data\.split_seed=1: .* was trained with 0"),
        ("metric=val/f1", r"metric=val/f1: .* was trained with val/acc"),
        ("seed=3", r"seed=3: .* was trained with 0"),
        ("callbacks=default", r"last\.ckpt: was trained with callbacks\.ema; expected the same"),
    ],
)
def test_what_decides_the_numbers_must_be_the_same_to_go_on(tmp_path, tiny, changed, message):
    run(tmp_path, tiny, "callbacks=[default,ema]")
    before = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, tiny, "callbacks=[default,ema]", "resume=true", changed)
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == before


def test_own_code_must_be_the_same_to_go_on_unless_a_change_is_accepted(tmp_path, tiny, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "from pytorch_lightning import Callback\nclass Mine(Callback): ...\n"
    words = [*tiny, "scheduler=constant", "+callbacks.mine._target_=train_own_code.Mine"]

    def attempt(epochs: int, code: str, *more: str) -> tuple[int, list[str]]:
        """Run in the same folder with other code, and return how many own files it is made of and which changed."""
        (tmp_path / "train_own_code.py").write_text(code)
        monkeypatch.delitem(sys.modules, "train_own_code", raising=False)
        record = run(tmp_path / "run", words, f"trainer.max_epochs={epochs}", "resume=true", *more).record
        assert record["epochs"] == epochs
        return list(record["code"]), record["code_changed"]

    own = ["train_own_code.py"]
    assert attempt(1, text) == (own, [])
    assert attempt(2, text) == (own, [])
    with pytest.raises(ConfigError) as caught:
        attempt(3, text + "# changed\n")
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert str(caught.value) == (
        f"{path}: was trained with other code: train_own_code.py has changed; changed_code=accept goes on all the same"
    )
    assert attempt(3, text + "# changed\n", "changed_code=accept") == (own, own)
    # From then on this is the run's code; that it was changed within the run stays on record.
    assert attempt(4, text + "# changed\n") == (own, own)
    # A checkpoint of an earlier version says nothing of its code.
    checkpoint = read_checkpoint(path)
    del checkpoint[CHECKPOINT_KEY]["code"], checkpoint[CHECKPOINT_KEY]["code_changed"]
    torch.save(checkpoint, tmp_path / "older.ckpt")
    (tmp_path / "older.ckpt").replace(path)
    assert attempt(5, text) == (own, [])


def test_callbacks_do_not_change_what_is_trained(tmp_path, tiny):
    run(tmp_path / "with", tiny, "trainer.max_epochs=2", "augmentation=keras_like")
    only_checkpoints = [f"~callbacks.{name}" for name in ("predictions", "seconds", "history", "progress")]
    run(tmp_path / "without", tiny, "trainer.max_epochs=2", "augmentation=keras_like", *only_checkpoints)
    first, second = weights(tmp_path / "with"), weights(tmp_path / "without")
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_training_on_validation_faces_validates_nothing(tmp_path, tiny):
    result = run(tmp_path, tiny, "data.train_on=train_val")
    assert result.value is None
    assert result.record["data"]["trained_on"] == 144
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert not any(key.startswith("val/") for row in measured(tmp_path) for key in row)


def test_a_loss_that_is_no_number_ends_the_run_with_the_reason(tmp_path, tiny):
    with pytest.raises(TrainingDivergedError, match=r"training loss is .* in epoch 1: .*optimizer\.lr"):
        run(tmp_path, tiny, "optimizer=sgd", "optimizer.lr=1e30", "scheduler=constant", "model.norm=none")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "failed"
    assert "loss" in record["reason"]


def test_fitted_statistics_travel_with_the_checkpoint(tmp_path, tiny):
    run(tmp_path, tiny, "normalization=standard")
    module = load_classifier(tmp_path / "checkpoints" / "last.ckpt")
    data = data_of(module, {})
    levels = np.asarray(data.training_images()).astype(np.float64) / 255
    assert float(module.normalization.mean) == pytest.approx(levels.mean(), rel=1e-5)
    assert float(module.normalization.std) == pytest.approx(levels.std(), rel=1e-5)


def test_balanced_class_weights_are_inverse_to_frequency(tmp_path, tiny):
    from fer_lightning.training.build_loss import class_weights

    found = class_weights("balanced", torch.tensor([10, 30, 60]))
    assert found is not None
    assert torch.allclose(found * torch.tensor([10.0, 30, 60]), torch.full((3,), 100 / 3))
    with pytest.raises(ConfigError, match="2 weights were given, expected 3"):
        class_weights([1.0, 2.0], torch.tensor([1, 1, 1]))
    run(tmp_path, tiny, "loss.class_weights=balanced", "loss.label_smoothing=0.1")
    load_classifier(tmp_path / "checkpoints" / "last.ckpt")


def test_a_damaged_checkpoint_is_named(tmp_path, tiny):
    run(tmp_path, tiny)
    path = tmp_path / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    for length in (0, 1000, 4096, 16384, 50_000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"last\.ckpt: not a readable checkpoint") as caught:
            load_classifier(path)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_lightning_program_is_one_line(tmp_path):
    trainer, plain = pl.Trainer(max_epochs=0, logger=False, enable_model_summary=False), pl.LightningModule()
    plain.training_step = plain.configure_optimizers = lambda *_: None  # type: ignore[method-assign]
    trainer.strategy.connect(plain)
    for name, parameters, said in (
        ("plain.ckpt", {}, "a checkpoint, but not of fer_lightning; expected one that a run has written"),
        (
            "own.ckpt",
            {"where": tmp_path},
            "other programs' objects, which are never loaded; expected one that",
        ),
    ):
        plain.save_hyperparameters(parameters)
        trainer.save_checkpoint(tmp_path / name)
        with pytest.raises(DataError, match=said) as caught:
            load_classifier(tmp_path / name)
        assert "\n" not in str(caught.value)


RECORD = {"config": {"model": {}, "normalization": {}}, "class_names": ["a", "b"], "image_size": 48}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([1, 2], r"its record is list; expected a dict with config, class_names, image_size"),
        ({}, r"its record has no valid config, class_names, image_size; expected one that a run has written"),
        (RECORD | {"class_names": None}, r"its record has no valid class_names;"),
        (RECORD | {"config": {"model": {}}}, r"its configuration has no valid normalization;"),
    ],
)
def test_what_a_checkpoints_record_lacks_is_named(tmp_path, record, said):
    path = tmp_path / "odd.ckpt"
    torch.save({CHECKPOINT_KEY: record, "state_dict": {}}, path)
    with pytest.raises(DataError, match=rf"odd\.ckpt: {said}"):
        load_classifier(path)
    torch.save({CHECKPOINT_KEY: record}, path)
    with pytest.raises(DataError, match=r"odd\.ckpt: it has no valid state_dict;"):
        load_classifier(path)


def test_no_absolute_path_is_stored_in_a_checkpoint(tmp_path, tiny):
    run(tmp_path, tiny)
    for path in (tmp_path / "checkpoints").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()


def test_every_checkpoint_loads_without_pickled_code(tmp_path, tiny):
    run(tmp_path, tiny, "callbacks=[default,ema,early_stopping]", "scheduler=cosine", "optimizer=sgd")
    for path in (tmp_path / "checkpoints").iterdir():
        torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    "scheduler",
    [["constant"], ["cosine"], ["one_cycle"], ["one_cycle", "scheduler.anneal=linear"]],
    ids=" ".join,
)
def test_the_learning_rate_follows_its_schedule(tmp_path, tiny, scheduler):
    run(
        tmp_path,
        tiny,
        f"scheduler={scheduler[0]}",
        *scheduler[1:],
        "trainer.max_epochs=3",
        "optimizer.lr=0.01",
    )
    rates = [row["lr"] for row in measured(tmp_path)]
    # Of each epoch's last step, as PyTorch's own schedule has it.
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.01)
    schedule = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 0),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9),
        "one_cycle": lambda: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 0.01, total_steps=9, anneal_strategy="linear" if scheduler[1:] else "cos"
        ),
    }[scheduler[0]]()
    used = []
    for _ in range(9):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(used[2::3], rel=1e-6)


def test_epochs_may_be_validated_one_in_two_and_the_best_of_those_is_kept(tmp_path, tiny, recwarn):
    options = ["trainer.max_epochs=4", "trainer.check_val_every_n_epoch=2", "optimizer.lr=0.01"]
    result = run(tmp_path, tiny, *options)
    rows = measured(tmp_path)
    validated = {row["epoch"]: row["val/acc"] for row in rows if "val/loss" in row}
    assert sorted(validated) == [1, 3]
    assert result.value == max(validated.values())
    assert read_checkpoint(tmp_path / "checkpoints" / "best.ckpt")["epoch"] in validated
    assert not [str(warning.message) for warning in recwarn if "monitor" in str(warning.message)]


def test_early_stopping_ends_a_run_that_no_longer_gets_better(tmp_path, tiny):
    options = [
        "callbacks=[default,early_stopping]",
        "callbacks.early_stopping.patience=2",
        "optimizer.lr=1e-9",
    ]
    result = run(
        tmp_path, tiny, "trainer.max_epochs=20", "scheduler=constant", "normalization=standard", *options
    )
    assert result.epochs < 20
    assert result.record["status"] == "complete"


def test_gradients_are_clipped_as_asked(tmp_path, tiny):
    largest = []

    class Watch(pl.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
            squares = [parameter.grad.square().sum() for parameter in pl_module.parameters()]
            largest.append(float(torch.stack(squares).sum().sqrt()))

    # Lightning clips after this hook, so Adam's state shows it: its first moment is a tenth of the gradient.
    run(tmp_path, tiny, "trainer.gradient_clip_val=0.001", "scheduler=constant", callbacks=[Watch()])
    moments = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["optimizer_states"][0]["state"].values()
    size = float(torch.stack([state["exp_avg"].square().sum() for state in moments]).sum().sqrt())
    assert max(largest) > 0.1
    assert size <= 0.001


@pytest.mark.slow
def test_two_processes_train_together_and_validate_every_face_once(tmp_path, tiny):
    together = ["trainer.strategy=ddp", "trainer.devices=2", f"hydra.run.dir={tmp_path}/run"]
    command = [sys.executable, "-m", "fer_lightning", *tiny, *together]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stderr.count("parameters, on 96 images of SYNTHETIC DATA") == 1
    stored = read_predictions(tmp_path / "run" / "val_logits.npz")
    assert len(set(stored.ids)) == len(stored.ids) == 48
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["best"]["val/acc"] == pytest.approx(stored.correct.mean())


@pytest.mark.slow
def test_a_small_net_learns_the_drawn_faces_far_better_than_a_dense_one_of_its_size(tmp_path, tiny):
    words = [word for word in tiny if not word.startswith(("data.", "trainer.max_epochs"))]
    budget = ["trainer.max_epochs=6", "optimizer.lr=0.004"]
    found = {}
    for model in (["model=small"], ["model=dnn", "model.match=small"]):
        result = train(compose_config([*words, *budget, *model]), tmp_path / model[-1])
        assert result.record["parameters"]["total"] == pytest.approx(61_639, rel=0.01)
        found[model[-1]] = result.value
    assert 0.60 <= found["model=small"] <= 0.90
    assert found["model=small"] - found["model.match=small"] >= 0.08


@pytest.mark.parametrize("key", ["data", "fingerprint"])
def test_a_checkpoint_that_does_not_say_its_data_is_not_resumed(tmp_path, tiny, key):
    run(tmp_path / "r", tiny, "scheduler=constant")
    path = tmp_path / "r" / "checkpoints" / "last.ckpt"
    stored = read_checkpoint(path)
    del (stored[CHECKPOINT_KEY] if key == "data" else stored[CHECKPOINT_KEY]["data"])[key]
    torch.save(stored, tmp_path / "cut.ckpt")
    with pytest.raises(DataError, match=rf"cut\.ckpt: its (record|data) has no valid {key}"):
        run(tmp_path / "s", tiny, "scheduler=constant", f"resume={tmp_path}/cut.ckpt", "trainer.max_epochs=2")
