"""Hydra's other launchers: each job tells its own result from wherever it runs."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path

import pytest

from fer_lightning.sweeps.study.results import load_trials
from sweep_runner import PLAN, SEARCH, epochs, finish, output, start

pytestmark = pytest.mark.slow
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2"]
needs_joblib = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None,
    reason="needs hydra-joblib-launcher",
)


@needs_joblib
def test_joblib_runs_trials_beside_each_other_and_prunes(tmp_path: Path) -> None:
    pruner = [
        "hydra/sweeper/pruner=median",
        "hydra.sweeper.pruner.n_startup_trials=1",
        "hydra.sweeper.pruner.n_warmup_steps=0",
        "hydra.sweeper.pruner.n_min_trials=1",
    ]
    records = finish(
        tmp_path, *SEARCH, *JOBLIB, *pruner, "hydra.sweeper.n_trials=7", "hydra/sweeper/sampler=random"
    )
    assert [r.number for r in records] == list(range(7))
    assert {r.state for r in records} == {"COMPLETE", "PRUNED"}
    for record in records:
        assert epochs(record) == list(record.intermediate)
    assert len({line.split()[1] for r in records for line in lines(r.run.folder)}) == 2


def lines(directory: Path | None) -> list[str]:
    assert directory is not None
    return (directory / "epochs.log").read_text().splitlines()


@needs_joblib
def test_joblib_records_failures_and_goes_on(tmp_path: Path) -> None:
    end = ["seeds=[0]", "hydra.sweeper.n_trials=null", "trouble=exception"]
    records = finish(tmp_path, PLAN, *JOBLIB, *end, expected=1)
    assert "every run failed of activation=selu: ValueError: selu does not work here" in output(tmp_path)
    assert [r.state for r in records] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert records[1].reason == "ValueError: selu does not work here"


@needs_joblib
def test_a_joblib_sweep_is_taken_up_after_ctrl_c(tmp_path: Path) -> None:
    arguments = [*SEARCH, *JOBLIB, "hydra.sweeper.n_trials=4", "trainer.seconds=0.5"]
    process = start(tmp_path, *arguments)
    from test_sweep_resume import assert_whole, wait_until_running

    wait_until_running(tmp_path, process, epochs_run=3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert_whole(finish(tmp_path, *arguments), 4)


@needs_joblib
def test_a_job_that_kills_its_process_is_not_tried_for_ever(tmp_path: Path) -> None:
    arguments = [*SEARCH, *JOBLIB, "hydra.sweeper.n_trials=2", "trouble=die", "hydra.sweeper.max_deaths=1"]
    assert start(tmp_path, *arguments).wait(timeout=120) == 1, output(tmp_path)
    records = load_trials(tmp_path / "sweep")
    assert [r.state for r in records] == ["FAIL"] * 2
    assert {r.reason for r in records} == {
        "its process died 2 times without getting any further (out of memory?)"
    }


@needs_joblib
def test_a_launcher_that_does_not_work_stops_the_sweep_and_costs_no_trial(tmp_path: Path) -> None:
    arguments = [*SEARCH, *JOBLIB, "hydra.sweeper.n_trials=4"]
    assert start(tmp_path, *arguments, "hydra.launcher.batch_size=nonsense").wait(timeout=60) == 1
    assert "error: the launcher failed: ValueError: " in output(tmp_path)
    assert {r.state for r in load_trials(tmp_path / "sweep")} == {"WAITING"}
    assert [r.state for r in finish(tmp_path, *arguments)] == ["COMPLETE"] * 4


@needs_joblib
def test_a_trial_that_cannot_be_composed_does_not_take_the_rest_of_its_batch_along(tmp_path: Path) -> None:
    # Each level composes by itself, but not the two together.
    plan = (
        "ablation={plan:pairwise,factors:{gone:{levels:{yes:['~nested.b={c:2}'],no:[]},baseline:no},"
        "changed:{levels:{yes:['nested.b.c=3'],no:[]},baseline:no}}}"
    )
    records = finish(
        tmp_path,
        plan,
        "seeds=[0]",
        *JOBLIB,
        "hydra.sweeper.n_trials=null",
        "hydra.sweeper.n_jobs=4",
        expected=1,
    )
    assert [r.state for r in records] == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"]
    assert records[3].reason is not None
    assert "nested.b" in records[3].reason


needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None,
    reason="needs hydra-submitit-launcher",
)
SUBMITIT = ["hydra/launcher=submitit_local", "hydra.sweeper.n_jobs=2", "hydra.launcher.timeout_min=5"]


@needs_submitit
def test_the_slurm_configuration_is_one_that_submitit_knows() -> None:
    from hydra import compose, initialize_config_module
    from hydra.utils import instantiate

    with initialize_config_module("fer_lightning.conf", version_base="1.3"):
        config = compose("config", ["+experiment=search", "hydra/launcher=slurm"], return_hydra_config=True)
    config.hydra.sweep.dir = "/somewhere"
    assert instantiate(config.hydra.launcher).params["submitit_folder"] == "/somewhere/.submitit/%j"


@needs_submitit
def test_submitit_runs_trials_and_prunes(tmp_path: Path) -> None:
    pruner = [
        "hydra/sweeper/pruner=median",
        "hydra.sweeper.pruner.n_startup_trials=1",
        "hydra.sweeper.pruner.n_warmup_steps=0",
        "hydra.sweeper.pruner.n_min_trials=1",
    ]
    records = finish(
        tmp_path, *SEARCH, *SUBMITIT, *pruner, "hydra.sweeper.n_trials=6", "hydra/sweeper/sampler=random"
    )
    assert [r.number for r in records] == list(range(6))
    assert {r.state for r in records} == {"COMPLETE", "PRUNED"}
    for record in records:
        assert epochs(record) == list(record.intermediate)


@needs_submitit
def test_a_submitit_sweep_whose_controller_is_killed_loses_nothing(tmp_path: Path) -> None:
    arguments = [*SEARCH, *SUBMITIT, "hydra.sweeper.n_trials=4", "trainer.seconds=0.5"]
    process = start(tmp_path, *arguments)
    from test_sweep_resume import assert_whole, wait_until_running

    wait_until_running(tmp_path, process, epochs_run=2)
    process.kill()
    process.wait()
    # The jobs outlive the controller and tell their results themselves; the next one runs what is missing.
    assert_whole(finish(tmp_path, *arguments), 4)
