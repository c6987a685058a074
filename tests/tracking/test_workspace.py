from __future__ import annotations

import json
import time
from typing import Any

import pytest

from fer_lightning.commands.workspace import main
from fer_lightning.config.compose import compose_config
from fer_lightning.config.factors import FACTORS, factors
from fer_lightning.tracking.log_reader import read_wandb_log
from fer_lightning.tracking.run_metadata import run_configuration, run_summary
from fer_lightning.tracking.wandb_workspace import STUDY_TABLES, build_workspace, workspace_spec
from fer_lightning.training.train import train
from tiny_words import TINY

CONFIG: dict[str, Any] = {
    "seed": 3,
    "normalization": {"_target_": "fer_lightning.data.normalization.Unit"},
    "augmentation": {},
    "model": {"_target_": "fer_lightning.models.Small", "activation": "selu", "dropout_scale": 1.5},
    "optimizer": {"lr": 0.01},
}


def all_panels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        panel
        for section in spec["spec"]["section"]["panelBankConfig"]["sections"]
        for panel in section["panels"]
    ]


def configs(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [panel["config"] for panel in all_panels(spec) if panel["viewType"] == kind]


def test_the_panels_show_what_runs_log():
    spec = workspace_spec(build_workspace("faces", "team"))
    assert (spec["entity"], spec["project"]) == ("team", "faces")
    logged = run_configuration(CONFIG, {"name": "fer2013"}, {"arm": "a", "trial": 1})
    summary = run_summary("complete", {"best": {"val/acc": 0.5}}, None)
    (parallel,) = configs(spec, "Parallel Coordinates Plot")
    axes = [column["accessor"] for column in parallel["columns"]]
    assert [axis.removeprefix("config:").removesuffix(".value") for axis in axes[: len(FACTORS)]] == list(
        FACTORS
    )
    for axis in axes:
        place, key = axis.split(":", 1)
        assert key.removesuffix(".value") in (logged if place == "config" else summary), axis
    (importance,) = configs(spec, "Parameter Importance")
    assert importance["targetKey"] in summary
    (comparer,) = configs(spec, "Run Comparer")
    assert comparer["diffOnly"] == "split"
    lines = configs(spec, "Run History Line Plot")
    assert {metric for line in lines for metric in line["metrics"]} == {"val/acc", "val/loss", "train/loss"}
    assert {line["xAxis"] for line in lines} == {"epoch"}
    # Of the studies' own runs: see tests/study/test_study_upload.py.
    for name, table in zip(STUDY_TABLES, configs(spec, "Weave"), strict=True):
        assert f'"{name}"' in json.dumps(table)


@pytest.mark.slow
def test_the_panels_have_the_keys_that_a_training_logs(tmp_path):
    words = [word for word in TINY if word != "logger=csv"]
    few = ["callbacks.saliency.check=false", "callbacks.filters.filters=2", "callbacks.filters.steps=1"]
    train(compose_config([*words, "logger=wandb", "callbacks=[default,explain]", *few]), tmp_path)
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    for _ in range(300):
        log = read_wandb_log(path)
        if log.exit_code is not None:
            break
        time.sleep(0.1)
    assert log.exit_code == 0
    kinds = {
        key.removesuffix("._type"): value
        for row in log.history
        for key, value in row.items()
        if key.endswith("._type")
    }
    spec = workspace_spec(build_workspace("faces"))
    shown = [key for config in configs(spec, "Media Browser") for key in config["mediaKeys"]]
    shown.remove("saliency/same")  # of a study's runs, in place of saliency/correct
    assert sorted(shown) == sorted(key for key, kind in kinds.items() if kind == "image-file")
    assert [key for key, kind in kinds.items() if kind == "table-file"] == ["confusion/counts"]
    # Curves and columns as well.
    logged = {key for row in log.history for key in row}
    assert {key for line in configs(spec, "Run History Line Plot") for key in line["metrics"]} <= logged
    (importance,) = configs(spec, "Parameter Importance")
    assert {importance["targetKey"], "state", "seconds"} <= log.summary.keys()
    assert {*FACTORS, "seed", "lr"} - log.config.keys() == set()


def test_pinned_columns_are_logged():
    spec = json.dumps(workspace_spec(build_workspace("faces")))
    for name in ("summary:state", "config:arm", "config:activation", "summary:best/val/acc"):
        assert name in spec


def test_offline_the_specification_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert main([f"output={tmp_path / 'w.json'}", "project=faces", "entity=team"]) == 0
    assert "its specification is written to" in capsys.readouterr().out
    found = json.loads((tmp_path / "w.json").read_text())
    assert (found["project"], found["entity"]) == ("faces", "team")
    assert len(all_panels(found)) == 12


def test_factors_of_configurations():
    assert factors(CONFIG) == {
        "dropout": 1.5,
        "activation": "selu",
        "normalization": "unit",
        "augmentation": "none",
        "seed": 3,
        "model": "small",
        "lr": 0.01,
    }
    flipped = {"_target_": "fer_lightning.data.augmentation.Augmentation", "flip": True}
    rates = {**CONFIG["model"], "dropout": [0.1, 0.2]}
    changed = factors({**CONFIG, "augmentation": flipped, "model": rates})
    assert changed["augmentation"] == "custom"
    assert changed["dropout"] == [0.1, 0.2]
