"""The sweeper in another program: one override finds it, nothing else comes along, and jobs tell their results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.study.results import load_trials
from foreign_program import Program


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 0")
    return found


def test_hydra_loads_nothing_heavy_for_it() -> None:
    code = (
        "import sys; import hydra.core.config_store; before = set(sys.modules); "
        "import hydra_plugins.fer_lightning_sweeper; print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "hydra_plugins.fer_lightning_sweeper" in loaded
    heavy = {"torch", "optuna", "numpy", "fer_lightning", "pydantic", "sqlalchemy", "pandas"}
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_nothing_else_of_the_package_is_found(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("defaults: [{override hydra/sweeper: fer_optuna}]\nx: 1")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        composed = compose("config", return_hydra_config=True)
        assert composed.hydra.sweeper._target_.endswith(".FerOptunaSweeper")
        loader = GlobalHydra.instance().config_loader()
        for group in ("model", "data", "experiment", "ablation", "search_space", "logger", "callbacks"):
            assert loader.get_group_options(group) == []
        assert "slurm" not in loader.get_group_options("hydra/launcher")
        assert {"tpe", "nsgaii"} <= set(loader.get_group_options("hydra/sweeper/sampler"))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "hydra.sweeper.n_trails=5",
            "hydra.sweeper.n_trails: no such key; did you mean hydra.sweeper.n_trials?",
        ),
        (
            "hydra.sweeper.smapler=tpe",
            "hydra.sweeper.smapler: no such key; did you mean hydra.sweeper.sampler?",
        ),
        ("hydra/sweeper/sampler=tpee", "hydra/sweeper/sampler=tpee: no such option; did you mean tpe?"),
        ("hydra/sweeper/pruner=medain", "hydra/sweeper/pruner=medain: no such option; did you mean median?"),
        (
            "hydra.sweeper.sampler={_target_:optuna.samplers.TPESampler,n_startup_trails:3}",
            "hydra.sweeper.sampler: optuna.samplers.TPESampler cannot be built: has no argument n_startup_trails; "
            "did you mean n_startup_trials?",
        ),
        ("lrr=interval(0.1,1)", "lrr: no such key; did you mean optimizer.lr? (+lrr would add it)"),
        ("bath=1,2", "bath: no such key; did you mean data.batch? (+bath would add it)"),
    ],
)
def test_what_is_misspelt_is_named_in_one_line_with_the_nearest(
    program: Program, word: str, message: str
) -> None:
    program.write("x: 0\noptimizer: {lr: 1}\ndata: {batch: 8}")
    with pytest.raises(ConfigError) as caught:
        program.run(lambda config: config.x, "x=1,2", word)
    assert str(caught.value) == message
    assert program.seen == []


def test_the_programs_own_keys_mean_what_it_means(program: Program) -> None:
    program.write("x: 0\nablation: true\nsearch_space: wide\nseeds: 5\nstudy: mnist")
    trials = program.run(lambda config: config.x, "x=1,2")
    assert sorted(trial.values for trial in trials) == [(1.0,), (2.0,)]


@pytest.mark.parametrize(("word", "begins"), [("study_name=2024", "2024"), ("label=7", "7-")])
def test_a_number_as_a_name_is_a_name(program: Program, word: str, begins: str) -> None:
    program.run(lambda config: config.x, "x=1,2", f"hydra.sweeper.{word}")
    (name,) = optuna.get_all_study_names(f"sqlite:///{program.folder}/sweep/study.db")
    assert name.startswith(begins)


def test_its_plan_and_search_space_may_stand_at_the_top(program: Program) -> None:
    program.write(
        "x: 0\nseed: 0\nseeds: [1, 2]\nablation: {factors: {x: {key: x, levels: [1], baseline: 0}}}"
    )
    trials = program.run(lambda config: config.x + config.seed)
    assert sorted((trial.arm, trial.seed, trial.value) for trial in trials) == [
        ("baseline", 1, 1.0),
        ("baseline", 2, 2.0),
        ("x=1", 1, 2.0),
        ("x=1", 2, 3.0),
    ]


def test_a_job_that_attaches_and_returns_tells_its_result_itself(program: Program) -> None:
    def job(config: DictConfig) -> object:
        trial = attach()
        assert trial is not None
        assert attach() is trial
        for step in range(3):
            trial.report(config.x * step, step)
        if config.x == 2:
            raise optuna.TrialPruned("no hope")
        if config.x == 3:
            raise ValueError("wrong")
        return None if config.x == 4 else {"objective": config.x, "cost": 1}

    trials = program.run(job, "x=1,2,3,4,5")
    assert {t.params["x"]: (t.state, t.value, t.reason) for t in trials} == {
        1: ("COMPLETE", 1.0, None),
        2: ("PRUNED", 4.0, "no hope"),
        3: ("FAIL", None, "ValueError: wrong"),
        4: ("FAIL", None, "the job returned no result but None"),
        5: ("COMPLETE", 5.0, None),
    }
    assert all(len(trial.intermediate) == 3 for trial in trials)


def test_an_attached_job_that_is_stopped_goes_on(program: Program) -> None:
    steps = []

    def job(config: DictConfig) -> float:
        trial = attach()
        assert trial is not None
        for step in range(len(trial.reported_steps), 4):
            steps.append(step)
            trial.report(step, step)
            if step == 1 and not trial.resumed:
                raise KeyboardInterrupt
        return 1.0

    with pytest.raises(SystemExit):
        program.run(job, "x=1,2", "hydra.sweeper.n_trials=1")
    assert [trial.state for trial in load_trials(program.folder / "sweep")] == ["WAITING"]
    (trial,) = program.run(job, "x=1,2", "hydra.sweeper.n_trials=1")
    assert (trial.state, steps) == ("COMPLETE", [0, 1, 2, 3])
