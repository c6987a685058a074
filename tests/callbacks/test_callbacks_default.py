from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from fer_lightning.callbacks.confusion import ConfusionMatrix
from fer_lightning.callbacks.dead_units import DeadUnits
from fer_lightning.callbacks.explanation import ExplanationPart
from fer_lightning.callbacks.saliency import SaliencyMaps
from fer_lightning.config.compose import compose_config
from fer_lightning.errors import ConfigError
from fer_lightning.evaluation.evaluate import data_of
from fer_lightning.runs.confusion_counts import confusion
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.training.checkpoints import load_classifier, read_checkpoint
from fer_lightning.training.train import train
from tiny_words import TINY

BUDGET = [word for word in TINY if not word.startswith("trainer.max_epochs")]
LONGER = [*BUDGET, "trainer.max_epochs=4", "optimizer.lr=0.01", "data.drawing.n_train=384"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of four epochs with the default callbacks."""
    folder = tmp_path_factory.mktemp("default") / "run"
    train(compose_config(LONGER), folder)
    return folder


def state(folder: Path) -> dict[str, torch.Tensor]:
    stored = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    moments = stored["optimizer_states"][0]["state"]
    return dict(stored["state_dict"]) | {
        f"{number}.{key}": torch.as_tensor(value)
        for number, each in moments.items()
        for key, value in each.items()
    }


def test_training_is_bit_for_bit_the_same_without_callbacks(run, tmp_path):
    config = compose_config(LONGER)
    OmegaConf.update(config, "callbacks", {"last": config.callbacks.last}, merge=False)
    train(config, tmp_path)
    with_all, alone = state(run), state(tmp_path)
    assert with_all.keys() == alone.keys()
    assert all(torch.equal(with_all[key], alone[key]) for key in alone)


def test_the_confusion_matrix_is_that_of_the_best_epoch(run):
    found = json.loads((run / "confusion.json").read_text())
    expected = confusion(read_predictions(run / "val_logits.npz"))
    assert found["counts"] == expected.counts.tolist()
    assert found["class_names"] == list(expected.class_names)
    record = json.loads((run / "run.json").read_text())
    assert np.trace(found["counts"]) / np.sum(found["counts"]) == pytest.approx(record["best"]["val/acc"])
    with Image.open(run / "confusion.png") as picture:
        assert picture.width > 400


def test_the_saliency_is_of_right_faces_by_the_best_weights(run):
    from fer_lightning.explain.saliency_methods import attributions
    from fer_lightning.plots.saliency import plot_saliency
    from tests.support.pixels import pixels

    found = json.loads((run / "saliency.json").read_text())
    assert found["method"] == "gradient"
    assert found["verdict"] == "not checked"
    assert found["synthetic"] is True
    names = [face["true"] for face in found["faces"]]
    assert names == [face["predicted"] for face in found["faces"]]
    assert len(set(names)) == len(names) > 2
    module = load_classifier(run / "checkpoints" / "best.ckpt")
    faces = data_of(module, {}).faces
    rows = [faces.ids.tolist().index(face["id"]) for face in found["faces"]]
    images = np.asarray(faces.images[rows])[:, None]
    maps = attributions(module, images, [faces.class_names.index(name) for name in names], "gradient").maps
    note = "Correctly classified images, one of each class; SYNTHETIC DATA (synthetic), val, best epoch "
    note += f"{found['epoch']}. Yellow: each map's 99th percentile and above."
    missing = [name for name in faces.class_names if name not in names]
    note += f" Classes without a correctly classified image: {', '.join(missing)}." if missing else ""
    parts = ("face", "map")
    ax = plot_saliency(images[:, 0], maps, names, verdict=found["caption"], note=note, parts=parts)
    with Image.open(run / "saliency.png") as picture:
        # channels-last convolutions add up in another order
        assert np.abs(np.asarray(picture.convert("RGB"), int) - pixels(ax)).mean() < 0.5


def test_dead_units_are_a_curve_and_silent_where_there_are_none(run):
    rows = read_metrics(run / "metrics.csv")
    keys = {key for key in rows[0] if key.startswith("dead_units/")}
    assert keys == {f"dead_units/{name}" for name in ("block1", "block2", "block3", "dense1", "all")}
    assert all(0 <= row[key] < 0.5 for row in rows for key in keys)


def _kill_second_layer(module: torch.nn.Module) -> None:
    norm = dict(module.named_modules())["features.block2.norm"]
    with torch.no_grad():
        norm.weight.fill_(0.0)  # type: ignore[union-attr]
        norm.bias[:20] = -1.0  # type: ignore[union-attr, index]
        norm.bias[20:] = 1.0  # type: ignore[union-attr, index]


def test_a_layer_that_dies_is_measured_and_warned_of_once(tmp_path, caplog):
    import pytorch_lightning as pl

    class Killer(pl.Callback):
        def on_validation_start(self, trainer, pl_module):
            _kill_second_layer(pl_module.model)

    config = compose_config([*BUDGET, "trainer.max_epochs=3"])
    with caplog.at_level(logging.WARNING):
        train(config, tmp_path, extra_callbacks=[Killer()])
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["dead_units/block2"] for row in rows] == [20 / 32] * 3
    said = [r.getMessage() for r in caplog.records if "dead units" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("epoch 1: dead units: in features.block2.activation 20 of 32 never activate")


def test_hooks_are_gone_after_a_watch_that_fails_and_after_a_crash(tmp_path, caplog, monkeypatch):
    from fer_lightning.explain.unit_watch import UnitWatch

    def broken(self, name):
        def hook(*_):
            raise RuntimeError("no memory")

        return hook

    monkeypatch.setattr(UnitWatch, "hook_for", broken)
    with caplog.at_level(logging.WARNING):
        result = train(compose_config([*BUDGET, "trainer.max_epochs=2"]), tmp_path)
    assert result.epochs == 2
    said = [r.getMessage() for r in caplog.records if "DeadUnits" in r.getMessage()]
    assert said == ["DeadUnits failed; training goes on without it (RuntimeError: no memory)"]

    look, module = DeadUnits(), torch.nn.Module()
    module.model = torch.nn.Sequential(torch.nn.ReLU())
    trainer = type("T", (), {"is_global_zero": True, "sanity_checking": False})()
    look.on_validation_start(trainer, module)
    assert len(module.model[0]._forward_hooks) == 1
    look.on_exception(trainer, module, KeyboardInterrupt())
    assert len(module.model[0]._forward_hooks) == 0


def test_a_run_that_goes_on_keeps_the_better_epoch_of_before(tmp_path):
    constant = [*BUDGET, "scheduler=constant", "optimizer.lr=0.01"]
    train(compose_config([*constant, "trainer.max_epochs=1"]), tmp_path)
    kept = {name: (tmp_path / name).read_text() for name in ("confusion.json", "saliency.json")}
    # As if the first epoch had been too good to be beaten.
    last = tmp_path / "checkpoints" / "last.ckpt"
    stored = torch.load(last, weights_only=True)
    unbeatable = torch.tensor(2.0)
    for each in stored["callbacks"].values():
        if "best" in each:
            each["best"] = 2.0
        if each.get("monitor"):
            each |= {"best_model_score": unbeatable, "kth_value": unbeatable}
            each["best_k_models"] = dict.fromkeys(each["best_k_models"], unbeatable)
    torch.save(stored, last)
    result = train(compose_config([*constant, "trainer.max_epochs=2", "resume=true"]), tmp_path)
    assert result.epochs == 2
    assert {name: (tmp_path / name).read_text() for name in kept} == kept
    assert json.loads(kept["saliency.json"])["epoch"] == 1


def test_the_faces_that_a_study_compares_do_not_depend_on_the_run(tmp_path):
    found = []
    for seed in (0, 1):
        config = compose_config([*BUDGET, "trainer.max_epochs=1", f"seed={seed}"])
        OmegaConf.update(config, "callbacks.saliency.which", "same")
        train(config, tmp_path / str(seed))
        found.append(json.loads((tmp_path / str(seed) / "saliency.json").read_text())["faces"])
    first, second = ([(face["id"], face["true"]) for face in faces] for faces in found)
    assert first == second
    assert len({name for _, name in first}) == len(first) == 7
    assert any(face["true"] != face["predicted"] for face in found[0])


def test_mistakes_with_a_checked_method_and_every_second_epoch(tmp_path):
    config = compose_config([*LONGER, "data.drawing.n_val=192"])
    sure = SaliencyMaps(tmp_path, which="mistakes", count=3)
    checked = SaliencyMaps(tmp_path / "checked", method="grad_cam", check=True)
    regular = ConfusionMatrix(tmp_path, when=2)
    OmegaConf.update(config, "callbacks", {"best": config.callbacks.best}, merge=False)
    train(config, tmp_path, extra_callbacks=[sure, checked, regular])
    found = json.loads((tmp_path / "saliency_mistakes.json").read_text())
    assert len(found["faces"]) == 3
    assert all(face["true"] != face["predicted"] for face in found["faces"])
    shares = [face["probability"] for face in found["faces"]]
    assert shares == sorted(shares, reverse=True)
    verdict = json.loads((tmp_path / "checked" / "saliency.json").read_text())
    assert verdict["verdict"] not in ("not checked", "control")
    assert verdict["caption"].startswith("grad_cam: ")
    assert verdict["checked_on"] <= 49
    assert sorted(path.name for path in (tmp_path / "epochs").iterdir()) == ["002", "004"]
    assert (tmp_path / "epochs" / "004" / "confusion.png").is_file()
    assert not (tmp_path / "confusion.json").exists()


def test_a_run_without_validation_faces_says_what_it_can(tmp_path):
    train(compose_config([*LONGER, "data.train_on=train_val"]), tmp_path)
    found = json.loads((tmp_path / "saliency.json").read_text())
    assert (found["split"], found["epoch"]) == ("train", 4)
    assert np.sum(json.loads((tmp_path / "confusion.json").read_text())["counts"]) == 384


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SaliencyMaps("", method="gradcam"), "method=gradcam: no such saliency method"),
        (lambda: SaliencyMaps("", options={"sigma": 3}), "method=gradient: "),
        (lambda: SaliencyMaps("", which="all"), "which=all: expected one of correct, mistakes"),
        (lambda: SaliencyMaps("", count=0), "count=0: expected a whole number of at least 1"),
        (lambda: DeadUnits(2), "threshold=2: expected a number from 0 to 1"),
        (lambda: ConfusionMatrix("", mode="best"), "mode=best: expected one of max, min"),
        (lambda: ExplanationPart("", part="own"), "part=own: expected one of confusion, saliency, "),
        (
            lambda: ExplanationPart("", part="regions", region_faces=3),
            "region_faces=3: expected a whole number",
        ),
    ],
)
def test_a_mistake_is_met_before_the_training(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_fuller_set_changes_no_weight_and_leaves_its_pictures(tmp_path):
    few = [*BUDGET, "trainer.max_epochs=1", "callbacks.saliency.check=false"]
    train(compose_config([*BUDGET, "trainer.max_epochs=1"]), tmp_path / "plain")
    config = compose_config([*few, "callbacks=[default,explain]"])
    assert config.callbacks.saliency.method == "smoothgrad"
    train(config, tmp_path / "full")
    plain, full = state(tmp_path / "plain"), state(tmp_path / "full")
    assert all(torch.equal(plain[key], full[key]) for key in plain)
    pictures = ["saliency.png", "saliency_mistakes.png", "filters_features.block1.conv.png", "dead_units.png"]
    pictures += [f"{part}/{part}.png" for part in ("feature_maps", "class_images", "lime", "regions")]
    assert [name for name in pictures if not (tmp_path / "full" / name).is_file()] == []


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_extremes_do_not_depend_on_the_memorys_layout(layout):
    from fer_lightning.explain.unit_watch import _extremes

    maps = torch.randn(5, 3, 4, 6, generator=torch.Generator().manual_seed(0)).to(memory_format=layout)
    low, high = _extremes(maps)
    assert torch.equal(low, maps.amin(0))
    assert torch.equal(high, maps.amax(0))
