"""Every trial of a foreign Hydra program is what was asked for, as Hydra's own sweepers read it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_lightning.errors import ConfigError
from foreign_program import Program


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(tmp_path, monkeypatch)


def one(config: DictConfig) -> float:
    return 1.0


def pairs(program: Program, *keys: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(job[key] for key in keys) for job in program.seen)


@pytest.mark.parametrize("words", [["x=1,2", "y=${x}"], ["y=${x}", "x=1,2"], ["+foo=1,2", "+bar=${foo}"]])
def test_an_override_with_an_interpolation_is_evaluated_in_each_job(
    program: Program, words: list[str]
) -> None:
    program.write("x: 0\ny: 0")
    program.run(one, *words)
    names = ("foo", "bar") if "+foo=1,2" in words else ("x", "y")
    assert pairs(program, *names) == [(1, 1), (2, 2)]


def test_a_choice_may_be_an_interpolation(program: Program) -> None:
    program.write("x: 0\nnear: 1\nfar: 5")
    records = program.run(one, "x=${near},${far}")
    assert pairs(program, "x") == [(1,), (5,)]
    assert {record.params["x"] for record in records} == {"${near}", "${far}"}


def test_a_secret_that_an_override_names_reaches_the_job_and_nothing_else(
    program: Program, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Neither the name nor the length gives it away: what is not resolved cannot leak.
    monkeypatch.setenv("MINE", "pa55")
    program.write("x: 0", job_logging="default")
    program.run(one, "x=1,2", "+word=${oc.env:MINE}", "hydra.output_subdir=.hydra")
    assert [job["word"] for job in program.seen] == ["pa55", "pa55"]
    written = [path for path in program.folder.rglob("*") if path.is_file()]
    assert {"config.yaml", "overrides.yaml", "hydra.yaml", "multirun.yaml", "study.db"} <= {
        path.name for path in written
    }
    assert not [path for path in written if b"pa55" in path.read_bytes()]
    out, err = capfd.readouterr()
    assert "pa55" not in out + err


def test_a_group_that_the_configuration_leaves_open_is_chosen_by_the_sweep(program: Program) -> None:
    options = {"db/mysql": "port: 3306", "db/postgresql": "port: 5432"}
    program.write("x: 0", defaults="  - db: ???", options=options)
    program.run(one, "db=mysql,postgresql")
    assert sorted(job["db"]["port"] for job in program.seen) == [3306, 5432]


def test_a_key_of_the_swept_options_is_set_in_each(program: Program) -> None:
    options = {"db/mysql": "{port: 3306, user: me}", "db/postgresql": "{port: 5432, user: me}"}
    program.write("x: 0", defaults="  - db: mysql", options=options)
    program.run(one, "db=mysql,postgresql", "db.user=someone")
    assert sorted((job["db"]["port"], job["db"]["user"]) for job in program.seen) == [
        (3306, "someone"),
        (5432, "someone"),
    ]


def test_a_group_is_swept_in_the_package_that_is_named(program: Program) -> None:
    options = {"db/mysql": "port: 3306", "db/postgresql": "port: 5432"}
    program.write("x: 0", defaults="  - db@source: mysql\n  - db@target: mysql", options=options)
    records = program.run(one, "db@target=mysql,postgresql", "db@source=mysql,postgresql")
    ports = sorted((job["source"]["port"], job["target"]["port"]) for job in program.seen)
    assert ports == [(3306, 3306), (3306, 5432), (5432, 3306), (5432, 5432)]
    assert set(records[0].params) == {"db@source", "db@target"}


def test_all_options_of_a_group_are_swept_by_a_pattern(program: Program) -> None:
    options = {"db/mysql": "port: 3306", "db/postgresql": "port: 5432", "db/sqlite": "port: 0"}
    program.write("x: 0", defaults="  - db: mysql", options=options)
    program.run(one, "db=glob(*sql*)")
    assert sorted(job["db"]["port"] for job in program.seen) == [0, 3306, 5432]


def test_an_option_that_does_not_exist_is_refused_before_any_trial(program: Program) -> None:
    program.write("x: 0", defaults="  - db: mysql", options={"db/mysql": "port: 3306"})
    with pytest.raises(ConfigError, match=r"search_space\.db: 'oracle' is none of mysql"):
        program.run(one, "db=mysql,oracle")
    assert program.seen == []


def test_the_sweeps_folders_are_those_of_hydra_where_it_names_them(program: Program) -> None:
    program.write("x: 0\nsame: 0")
    folders = []

    def note(config: DictConfig) -> float:
        folders.append(Path(HydraConfig.get().runtime.output_dir).relative_to(program.folder))
        return 1.0

    records = program.run(note, "x=1,2", "hydra.sweep.subdir=runs/${hydra.job.override_dirname}")
    assert sorted(map(str, folders)) == ["sweep/runs/x=1", "sweep/runs/x=2"]
    assert {record.run.folder for record in records} == {program.folder / folder for folder in folders}


def test_two_trials_never_share_a_folder(program: Program) -> None:
    program.write("x: 0")
    records = program.run(one, "x=1,2,3", "hydra.sweep.subdir=all", "hydra.sweep.dir=sweep")
    names = [record.run.folder.name for record in records if record.run.folder is not None]
    assert names == ["all", "all_1", "all_2"]


def test_the_number_of_a_job_is_its_trials(program: Program) -> None:
    program.write("x: 0")
    records = program.run(one, "x=1,2", "hydra.sweep.subdir=job_${hydra.job.num}")
    assert [record.run.folder.name for record in records if record.run.folder is not None] == [
        "job_0",
        "job_1",
    ]


CONDITIONAL = (
    "hydra.sweeper.search_space={optimizer:{choices:[adam,sgd]},"
    "momentum:{key:optimizer.momentum,choices:[0.5,0.9],when:{optimizer:sgd}},"
    "nesterov:{key:optimizer.nesterov,choices:[true],when:{optimizer.momentum:0.9}}}"
)


def test_a_conditional_key_is_tried_with_the_option_that_has_it(program: Program) -> None:
    options = {"optimizer/adam": "lr: 0.1", "optimizer/sgd": "{lr: 1.0, momentum: 0.0, nesterov: false}"}
    program.write("x: 0", defaults="  - optimizer: adam", options=options)
    program.run(one, CONDITIONAL)
    assert sorted((job["optimizer"] for job in program.seen), key=str) == [
        {"lr": 0.1},
        {"lr": 1.0, "momentum": 0.5, "nesterov": False},
        {"lr": 1.0, "momentum": 0.9, "nesterov": True},
    ]


def test_a_conditional_key_that_the_option_lacks_is_refused(program: Program) -> None:
    options = {"optimizer/adam": "lr: 0.1", "optimizer/sgd": "lr: 1.0"}
    program.write("x: 0\ny: 0", defaults="  - optimizer: adam", options=options)
    with pytest.raises(ConfigError, match=r"search_space\.momentum cannot be composed: .*momentum"):
        program.run(one, CONDITIONAL)
    with pytest.raises(
        ConfigError, match=r"search_space\.depth\.when: x is never one of \[7\]; expected one of"
    ):
        program.run(
            one, "hydra.sweeper.search_space={x:{choices:[1,2]},depth:{key:y,choices:[1],when:{x:7}}}"
        )


PLAN = "hydra.sweeper.plan={factors:{x:{key:x,levels:[1],baseline:0}}}"


def test_the_key_of_the_seed_is_named(program: Program) -> None:
    program.write("x: 0\ntraining: {seed: 9}")
    program.run(one, PLAN, "hydra.sweeper.seeds=[0,1]", "hydra.sweeper.seed_key=training.seed")
    assert sorted((job["x"], job["training"]["seed"]) for job in program.seen) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


def test_a_key_of_the_seed_that_is_not_there_is_refused_before_any_trial(program: Program) -> None:
    program.write("x: 0")
    message = r"hydra\.sweeper\.seed_key=seed: the configuration has no such key; .* or \+seed to add it"
    with pytest.raises(ConfigError, match=message):
        program.run(one, PLAN, "hydra.sweeper.seeds=[0,1]")
    assert program.seen == []
    program.run(one, PLAN, "hydra.sweeper.seeds=[0,1]", "hydra.sweeper.seed_key=+seed")
    assert pairs(program, "x", "seed") == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_every_arm_and_seed_of_a_plan_runs_on_every_fold(program: Program) -> None:
    program.write("x: 0\nseed: 9\ncv: {fold: null}")
    folds = ["hydra.sweeper.folds=2", "hydra.sweeper.fold_key=cv.fold"]
    program.run(one, PLAN, "hydra.sweeper.seeds=[0,1]", *folds)
    found = sorted((job["x"], job["seed"], job["cv"]["fold"]) for job in program.seen)
    assert found == [(x, seed, fold) for x in (0, 1) for seed in (0, 1) for fold in (0, 1)]
    with pytest.raises(ConfigError, match=r"cv\.fold=1: the plan runs every arm on each of the 2 folds"):
        program.run(one, PLAN, "cv.fold=1", "hydra.sweeper.seeds=[0,1]", *folds)
    with pytest.raises(
        ConfigError, match=r"hydra\.sweeper\.fold_key=data\.fold: the configuration has no such key"
    ):
        program.run(one, PLAN, "hydra.sweeper.seeds=[0,1]", "hydra.sweeper.folds=2")


def test_a_value_that_replaces_an_options_own_is_said(
    program: Program, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"optimizer/adam": "lr: 0.001", "optimizer/sgd": "lr: 0.05"}
    defaults = "  - optimizer: adam\n  - study: mine"
    program.write(
        "x: 0", defaults=defaults, options={**options, "study/mine": "# @package optimizer\nlr: 0.004"}
    )
    plan = "hydra.sweeper.plan={factors:{optimizer:{key:optimizer,levels:[sgd],baseline:adam}}}"
    with caplog.at_level("INFO"):
        program.run(one, plan, "hydra.sweeper.seeds=[0]", "hydra.sweeper.seed_key=+seed")
    assert [job["optimizer"]["lr"] for job in program.seen] == [0.004, 0.004]
    notes = [record.message for record in caplog.records if record.message.startswith("note: ")]
    assert notes == [
        "note: optimizer=adam: the configuration sets optimizer.lr=0.004; the option has 0.001",
        "note: optimizer=sgd: the configuration sets optimizer.lr=0.004; the option has 0.05",
    ]
    caplog.clear()
    with caplog.at_level("INFO"):
        program.run(one, plan, "optimizer.lr=0.01", "hydra.sweeper.seeds=[0]", "hydra.sweeper.seed_key=+seed",
                    "hydra.sweep.dir=other")  # fmt: skip
    assert not re.search("note: ", caplog.text)  # who sets it by hand knows it
    assert os.listdir("other")
