"""A real search that ends in a verdict, its page, and its best setting as an experiment file that trains it again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.config.flatten import flatten
from fer_lightning.config.objective import Objective
from fer_lightning.errors import ConfigError
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.records import ArmRun
from fer_lightning.study.experiment_file import write_experiment
from fer_lightning.sweeps.study.results import load_study, load_trials

WORDS = [
    "+experiment=search",
    "~search_space",
    "optimizer.lr=interval(0.0005,0.02)",
    "augmentation=flip,none",
    "hydra/sweeper/pruner=none",
    "hydra.sweeper.n_trials=3",
    "hydra.sweeper.confirm=1",
    "hydra.sweeper.confirm_seeds=3",
    "hydra.sweep.dir=study",
    *("data.drawing.n_train=48", "data.drawing.n_val=24", "data.drawing.n_test=24", "data.batch_size=24"),
    *("trainer.max_epochs=1", "logger=csv", "threads=1"),
    *("~callbacks.saliency", "~callbacks.progress"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("confirmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        assert main(WORDS) == 0
    return where


def test_its_report_has_verdict_curse_and_next_steps(folder: Path) -> None:
    trials = load_trials(folder / "study")
    assert trials[0].params == {"optimizer.lr": 0.001, "augmentation": "flip"}
    confirming = [trial for trial in trials if trial.stage == "confirm"]
    assert [trial.state for trial in confirming] == ["COMPLETE"] * 6
    assert {trial.run.record["seed"] for trial in confirming} == {1, 2, 3}
    text = (folder / "study/report.txt").read_text()
    assert re.search(r"[Ss]etting \d (is|and the default)|etween setting \d and the default", text)
    assert "SYNTHETIC" in text
    assert "in one run; over 3 new seeds it is" in text.replace("\n", " ")
    page = (folder / "study/report.html").read_text()
    assert '<h2 id="next-title">What next</h2>' in page
    assert 'data-forest="forest"' in page
    assert "report study experiment=best.yaml" in page


def test_the_best_setting_is_an_experiment_that_composes_to_its_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    trials = load_trials("study")
    path, command = write_experiment(load_study("study"), trials, None, Objective(), Path("best.yaml"))
    assert path == Path("experiment/best.yaml")
    assert command == "python -m fer_lightning --config-dir . +experiment=best"
    composed = compose_config(["hydra.searchpath=[file://.]", "+experiment=best"])
    searched = [trial for trial in trials if trial.stage != "confirm"]
    best = max(searched, key=lambda trial: trial.value or 0.0)
    assert path.read_text().startswith(
        f"# @package _global_\n# Trial {best.number}, the best of a search of 3: val/acc"
    )
    left_out = ("seed", "callbacks", "logger", "threads", "ablation", "search_space", "study", "hydra")
    wanted = {k: v for k, v in flatten(best.run.config).items() if k.split(".")[0] not in left_out}
    found = flatten(OmegaConf.to_container(composed, resolve=True))
    assert {key: found[key] for key in wanted} == wanted
    assert found["optimizer.lr"] == best.params["optimizer.lr"]
    assert "seed" not in yaml.safe_load(path.read_text())


def test_what_follows_from_a_confirming_runs_seed_is_no_part_of_the_setting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    trials = load_trials("study")
    run = next(trial for trial in trials if str(trial.arm).startswith("setting"))
    runs = [ArmRun(arm, 1, value=value) for arm, value in (("default", 0.5), (str(run.arm), 0.6))]
    report = ablation_report(runs, "default")
    path, _ = write_experiment(load_study("study"), trials, report, Objective(), Path("other.yaml"))
    assert f"# {run.arm}: val/acc 60.00 % over 1 seed;" in path.read_text()
    written = flatten(yaml.safe_load(path.read_text()))
    assert run.seed is not None
    assert run.seed > 0
    assert {key for key in written if key.endswith("seed")} == set()
    composed = compose_config(["hydra.searchpath=[file://.]", "+experiment=other", f"seed={run.seed}"])
    left_out = ("callbacks", "logger", "threads", "ablation", "search_space", "study", "hydra")
    wanted = {k: v for k, v in flatten(run.run.config).items() if k.split(".")[0] not in left_out}
    found = flatten(OmegaConf.to_container(composed, resolve=True))
    assert {key: found[key] for key in wanted} == wanted


def test_where_the_default_is_best_there_is_nothing_to_write(folder: Path) -> None:
    runs = [ArmRun(arm, 1, value=value) for arm, value in (("default", 0.6), ("setting 1", 0.5))]
    report = ablation_report(runs, "default")
    with pytest.raises(
        ConfigError, match=r"nothing of the study was better than default, which needs no file"
    ):
        write_experiment(
            load_study(folder / "study"),
            load_trials(folder / "study"),
            report,
            Objective(),
            Path("best.yaml"),
        )
