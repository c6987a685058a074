"""Metrics and augmentations of one's own, from the configuration to every table."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_cohen_kappa

import own_parts
from fer_lightning.callbacks.progress import RunProgress
from fer_lightning.config.compose import compose_config
from fer_lightning.config.objective import Objective
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError
from fer_lightning.evaluation.evaluate import evaluate
from fer_lightning.evaluation.evaluation import evaluation_cells
from fer_lightning.report.page.columns import metric_columns
from fer_lightning.runs.listing import listing_columns
from fer_lightning.runs.run import Run
from fer_lightning.runs.table import collect
from fer_lightning.training.build import build_data, build_module
from fer_lightning.training.rehearsal import rehearse
from training_runs import measured, run

KAPPA = ["metrics.kappa._target_=torchmetrics.CohenKappa", "metrics.kappa.task=multiclass"]
WRONG = ["metrics.wrong._target_=own_parts.wrong"]
NOISE = ["augmentation=custom", "augmentation._target_=own_parts.Noise"]


def begun(tiny: list[str], *words: str) -> None:
    config = compose_config([*tiny, *words])
    check_config(config)
    data = build_data(config)
    rehearse(build_module(config, data, {}), data)


def test_own_metrics_are_measured_decide_and_are_shown_everywhere(tmp_path, tiny, caplog):
    words = [*KAPPA, *WRONG, "metrics.taken._target_=own_parts.of_classes", "trainer.max_epochs=2"]
    result = run(tmp_path / "run", tiny, *words, "metric=val/kappa", "mode=max")
    rows, found = measured(tmp_path / "run"), Run(tmp_path / "run")
    logits, labels = (torch.from_numpy(each) for each in (found.predictions.logits, found.predictions.labels))
    kappa = multiclass_cohen_kappa(logits, labels, num_classes=7).item()
    assert result.value == max(row["val/kappa"] for row in rows) == pytest.approx(kappa)
    for row in rows:
        assert row["val/wrong"] == pytest.approx(1 - row["val/acc"])
        assert sum(row[f"val/taken/{name}"] for name in found.predictions.class_names) == 48

    best = found.record["best"]
    columns = metric_columns(Objective.of("val/kappa", True), [result.value], [best])
    assert columns[0].name == "val/kappa"
    assert [column.higher for column in columns if column.name == "val/wrong"] == [None]
    table = collect(tmp_path)
    assert {"best/val/kappa", "best/val/wrong"} <= {*listing_columns(table)}
    with caplog.at_level(logging.INFO):
        trainer = SimpleNamespace(callback_metrics=rows[-1], current_epoch=1, max_epochs=2)
        RunProgress().on_train_epoch_end(trainer, None)
    assert f"val kappa {rows[-1]['val/kappa']:.3f}  val wrong {rows[-1]['val/wrong']:.3f}" in caplog.text

    again = evaluate([tmp_path / "run" / "checkpoints" / "best.ckpt"], "val")
    assert again.metrics["kappa"] == pytest.approx(kappa)
    cells = {line[0]: line[1] for line in evaluation_cells(again)}
    assert cells["kappa"] == f"{kappa:.4f}"
    assert np.isclose(float(cells["wrong"]), 1 - again.metrics["acc"], atol=1e-4)


def test_a_run_with_own_metrics_trains_the_same_weights(tmp_path, tiny):
    run(tmp_path / "with", tiny, *KAPPA, *WRONG)
    run(tmp_path / "without", tiny)
    own = ("val/kappa", "val/wrong")
    rows = [
        {key: value for key, value in row.items() if key not in own} for row in measured(tmp_path / "with")
    ]
    assert rows == measured(tmp_path / "without")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["metrics.wrong=3"], "metrics.wrong: expected metrics.wrong._target_=…"),
        (
            ["metrics.acc._target_=own_parts.wrong"],
            "metrics.acc: expected a name of letters and digits that none",
        ),
        (
            ["metrics.x._target_=own_parts.every_face"],
            "metrics.x: returns [14]; expected one value, or one for each",
        ),
        ([*KAPPA, "metrics.kappa.wieghts=linear"], "metrics.kappa: torchmetrics.CohenKappa: Unexpected"),
        ([*WRONG, "metric=val/wrnog"], "metric=val/wrnog: no run measures it; did you mean val/wrong?"),
        (
            [
                "metrics.kappa._target_=torchmetrics.classification.MulticlassCohenKappa",
                "metric=val/kappa",
                "mode=min",
            ],
            "mode=min with metric=val/kappa: higher is better; expected mode=max",
        ),
        (
            ["augmentation=custom", "augmentation._target_=own_parts.wrong"],
            "own_parts.wrong",
        ),
        (
            ["augmentation=custom", "augmentation._target_=own_parts.Blind"],
            "augmentation: Blind returns [2, 48, 48] for float levels [2, 1, 48, 48]",
        ),
        (
            ["augmentation=custom", "augmentation._target_=own_parts.Halved"],
            "augmentation: Halved makes [2, 1, 24, 24], which the net cannot take",
        ),
        (["augmentation._target_=own_parts.Noise"], "expected augmentation=custom beside it"),
        ([*NOISE, "augmentation.strenght=2"], "augmentation.strenght: no such key; did you mean"),
    ],
)
def test_a_mistake_is_one_line_before_any_training(tiny, words, message):
    with pytest.raises(ConfigError) as caught:
        begun(tiny, *words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_own_augmentation_sees_levels_and_is_left_out_of_what_predicts(tmp_path, tiny, monkeypatch):
    seen = []
    usual = own_parts.Noise.forward

    def forward(self, images):
        seen.append((images.dtype, float(images.max())))
        return usual(self, images)

    monkeypatch.setattr(own_parts.Noise, "forward", forward)
    run(tmp_path, tiny, *NOISE, "augmentation.strength=30")
    assert {kind for kind, _ in seen} == {torch.float32}
    assert 100 < max(level for _, level in seen) <= 255
    count = len(seen)
    found = evaluate([tmp_path / "checkpoints" / "best.ckpt"], "val")
    assert len(seen) == count
    assert np.allclose(found.predictions.correct.mean(), Run(tmp_path).predictions.correct.mean())


def test_another_size_goes_with_a_net_that_takes_it(tiny):
    begun(tiny, "augmentation=custom", "augmentation._target_=own_parts.Halved", "model=fast")
