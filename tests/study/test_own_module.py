"""A LightningModule of one's own from the first command to the last."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import own_parts
from fer_lightning.callbacks.pruning import TrialPruning
from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError
from fer_lightning.evaluation.evaluate import evaluate
from fer_lightning.runs.run import Run
from fer_lightning.sweeps.study.results import load_trials
from fer_lightning.training.build import build_data, build_module
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.rehearsal import rehearse
from training_runs import StopAfter, measured, run, weights

ROOT = Path(__file__).parents[2]
OWN = ["module._target_=own_parts.Step"]


def test_a_run_leaves_what_any_run_leaves(tmp_path, tiny):
    result = run(tmp_path, tiny, *OWN, "module.width=6", "trainer.max_epochs=2")
    found, rows = Run(tmp_path), measured(tmp_path)
    data = build_data(compose_config(tiny))
    assert found.predictions.ids.tolist() == np.asarray(data.faces.ids)[data.val_indices].tolist()
    assert found.predictions.labels.tolist() == data.faces.labels[data.val_indices].tolist()
    assert (
        result.value == max(row["val/acc"] for row in rows) == pytest.approx(found.predictions.correct.mean())
    )
    assert {"train/loss", "lr", "val/loss", "val/f1", "val/spread"} <= rows[0].keys()
    assert rows[0]["lr"] == pytest.approx(0.01)
    assert (tmp_path / "confusion.json").is_file()
    assert (tmp_path / "saliency.json").is_file()
    assert found.record["parameters"]["total"] == sum(p.numel() for p in own_parts.Step(7, 6).parameters())

    best = tmp_path / "checkpoints" / "best.ckpt"
    module = load_classifier(best)
    assert isinstance(module, own_parts.Step)
    assert module.net[2].out_features == 6
    again = evaluate([best], "val")
    assert np.allclose(
        again.predictions.logits, torch.from_numpy(found.predictions.logits).log_softmax(1), atol=1e-5
    )


def test_the_training_is_lightnings_own(tmp_path, tiny):
    # One step over all faces: what plain PyTorch makes of the same batch.
    run(tmp_path, tiny, *OWN, "data.batch_size=96", "seed=3")
    data = build_data(compose_config([*tiny, "data.batch_size=96", "seed=3"]))
    module = build_module(compose_config([*tiny, *OWN, "data.batch_size=96", "seed=3"]), data, {})
    batch = next(iter(data.train_dataloader()))
    torch.manual_seed(3 * 1_000_003)
    module.training_step(batch, 0).backward()
    stored = weights(tmp_path)
    for name, parameter in module.named_parameters():
        assert torch.allclose(stored[name], parameter - 0.01 * parameter.grad, atol=1e-6)


def test_a_run_that_is_resumed_is_the_one_that_was_not_interrupted(tmp_path, tiny):
    words = [*OWN, "trainer.max_epochs=3", "scheduler=constant"]
    run(tmp_path / "whole", tiny, *words)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", tiny, *words, callbacks=[StopAfter(1)])
    run(tmp_path / "parts", tiny, *words, "resume=true")
    assert measured(tmp_path / "whole") == measured(tmp_path / "parts")
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(ConfigError, match=r"module\.rate=0\.5"):
        run(tmp_path / "parts", tiny, *words, "module.rate=0.5", "resume=true")


def test_an_ablation_ends_in_verdicts(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my" / "ablation"
    folder.mkdir(parents=True)
    plan = "# Mine.\nplan: one_factor\nfactors:\n  width: {key: module.width, baseline: 4, levels: [8]}\n"
    (folder / "width.yaml").write_text(plan)
    words = ["--config-dir", "my", "+experiment=ablation", "ablation=width", *OWN, *tiny, "study.workers=1"]
    assert main([*words, "seeds=[0,1]", "study.page=false", f"hydra.sweep.dir={tmp_path}/study"]) == 0
    assert [trial.state for trial in load_trials(tmp_path / "study")] == ["COMPLETE"] * 4
    with (tmp_path / "study" / "report.csv").open(encoding="utf-8", newline="") as stream:
        arms = {row["arm"]: row for row in csv.DictReader(stream)}
    for arm, trials in (("baseline", (0, 2)), ("width=8", (1, 3))):
        found = [Run(tmp_path / "study" / f"trial_{number:04d}").predictions for number in trials]
        assert float(arms[arm]["mean"]) == pytest.approx(np.mean([each.correct.mean() for each in found]))


def test_a_trial_is_pruned(tmp_path, tiny):
    reported = []
    session = SimpleNamespace(
        report=lambda value, step: reported.append((step, value)), should_prune=lambda: len(reported) == 2
    )
    words = [*OWN, "trainer.max_epochs=4"]
    result = run(tmp_path, tiny, *words, callbacks=[TrialPruning(session, "val/acc")])
    assert result.record["status"] == "pruned"
    rows = measured(tmp_path)
    assert reported == [(0, pytest.approx(rows[0]["val/acc"])), (1, pytest.approx(rows[1]["val/acc"]))]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["module._target_=own_parts.Brier"],
            "module: own_parts.Brier makes Brier; expected a LightningModule",
        ),
        (
            ["module._target_=own_parts.NoSteps"],
            "module: own_parts.NoSteps has no training_step, validation_step, configure_optimizers; expected forward,",
        ),
        (
            ["module._target_=own_parts.Silent"],
            'module: validation_step of Silent returns NoneType; expected {"logits": [B, K], "labels": [B]}',
        ),
        (
            ["module._target_=own_parts.Short"],
            "module: validation_step of Short returns logits of [1, 7] and labels of [1] for 2 faces of 7 classes",
        ),
        (
            ["module._target_=own_parts.Narrow"],
            "module: forward of Narrow returns [2, 3] for 2 faces; expected logits [2, 7], one for each",
        ),
        (
            ["module._target_=own_parts.Frozen"],
            "module: training_step of Frozen returns Tensor; expected a loss",
        ),
        (
            ["module._target_=own_parts.Broken"],
            "module: training_step of Broken fails on a batch of faces: RuntimeError: no luck",
        ),
        ([*OWN, "module.widht=3"], "module.widht: no such key; did you mean module.width?"),
        (["module.width=3"], "module: names no class; expected module._target_="),
    ],
)
def test_what_is_missing_is_one_line_before_any_training(tiny, words, message):
    def begun() -> None:
        config = compose_config([*tiny, *words])
        check_config(config)
        data = build_data(config)
        rehearse(build_module(config, data, {}), data)

    with pytest.raises(ConfigError) as caught:
        begun()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_metric_that_the_module_logs_decides_and_one_that_it_does_not_is_named(tmp_path, tiny):
    result = run(tmp_path / "own", tiny, *OWN, "metric=val/spread", "mode=max")
    assert result.value == pytest.approx(measured(tmp_path / "own")[0]["val/spread"])
    with pytest.raises(
        ConfigError, match=r"val/sprad: own_parts\.Step does not log it; did you mean val/spread"
    ):
        run(tmp_path / "other", tiny, *OWN, "metric=val/sprad", "mode=max")


def test_the_example_is_short_and_runs(tmp_path, tiny, monkeypatch, capsys):
    path = ROOT / "examples" / "own_step.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.setattr("sys.argv", [str(path), str(tmp_path), *tiny])
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    assert "best val/kappa" in printed
    assert "kappa" in printed.split("kept in")[1]
    assert Run(tmp_path).config["module"]["weight"] == 2.0
