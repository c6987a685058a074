"""A job in this process sees what Hydra's basic launcher would show it, and leaves as little behind."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime, JobStatus
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from fer_lightning.sweeps.in_process import InProcess, is_basic
from fer_lightning.sweeps.same_config import same_config

CONFIG = """
lr: 0.1
where: ${hydra:sweep.subdir}
twice: {lr: "${lr}"}
hydra:
  output_subdir: null
  sweep: {dir: sweep, subdir: "trial_${hydra.job.num}"}
  job: {env_set: {FER_TRIAL: ""}}
  job_logging:
    version: 1
    handlers: {file: {class: logging.FileHandler, filename: "${hydra.runtime.output_dir}/run.log"}}
    root: {level: INFO, handlers: [file]}
"""


class Notes:
    """Hydra callbacks that note what they are shown."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        self.seen.append(config.hydra.runtime.output_dir)

    def on_job_end(self, job_return: Any, **_: Any) -> None:
        self.seen.append((job_return.status, job_return._return_value))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HydraContext]:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    before = logging.getLogger().handlers[:]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path / "conf"), version_base="1.3"):
        callbacks = Callbacks()
        callbacks.callbacks = [Notes()]
        loader = GlobalHydra.instance().hydra.config_loader  # type: ignore[union-attr]
        yield HydraContext(config_loader=loader, callbacks=callbacks)
    for handler in logging.getLogger().handlers:
        handler.close()
    logging.getLogger().handlers = before
    HydraConfig.instance().cfg = None


def launchers(context: HydraContext, task: Callable[[DictConfig], Any]) -> list[Any]:
    """Hydra's and ours, for the same command."""
    master = context.config_loader.load_configuration("config", [], RunMode.MULTIRUN)
    basic = BasicLauncher()
    basic.setup(hydra_context=context, task_function=task, config=master)

    def compose(words: list[str]) -> DictConfig:
        return context.config_loader.load_sweep_config(master, words)

    return [basic, InProcess(context, task, master, compose)]


@pytest.mark.parametrize("more", [[], ["hydra.job.chdir=true"], ["hydra.output_subdir=.hydra"]])
def test_a_job_sees_what_hydra_shows(context: HydraContext, tmp_path: Path, more: list[str]) -> None:
    seen: list[Any] = []

    def task(config: DictConfig) -> float:
        shown = HydraConfig.get()
        logging.getLogger("job").info("runs in %s", shown.runtime.output_dir)
        place = (Path.cwd(), os.environ["FER_TRIAL"], shown.job.num, shown.job.id, config.where)
        seen.append((place, config, OmegaConf.to_container(shown, resolve=True), HydraConfig.instance().cfg))
        config.lr = 7.0  # reaches neither Hydra's part nor the next job
        return float(config.twice.lr)

    for launcher in launchers(context, task):
        jobs = [["lr=0.3", "hydra.job.env_set.FER_TRIAL='4'", *more], ["hydra.sweep.subdir=other", *more]]
        returns = launcher.launch(jobs, initial_job_idx=4)
        assert [result.return_value for result in returns] == [7.0, 7.0]
        assert [list(result.overrides) for result in returns] == [["lr=0.3"], []]
        assert [result.task_name for result in returns] == [JobRuntime.instance().get("name")] * 2
        places = [tmp_path / str(result.working_dir) for result in returns]
        assert places == [place for (place, *_), *_ in seen[-2:]]
        assert HydraConfig.instance().cfg is None
        assert "FER_TRIAL" not in os.environ
        assert Path.cwd() == tmp_path
        assert (tmp_path / "sweep" / "trial_4" / ".hydra" / "config.yaml").exists() == (".hydra" in str(more))
    logs = (tmp_path / "sweep" / "trial_4" / "run.log").read_text().splitlines()
    assert [line.split(" - ")[1] for line in logs] == [f"runs in {tmp_path}/sweep/trial_4"] * 2
    hydras, ours = seen[:2], seen[2:]
    assert [entry[0] for entry in ours] == [entry[0] for entry in hydras]
    assert [entry[2] for entry in ours] == [entry[2] for entry in hydras]
    assert all(same_config(one[1], other[1]) for one, other in zip(hydras, ours, strict=True))
    assert all(same_config(one[3], other[3]) for one, other in zip(hydras, ours, strict=True))
    notes = context.callbacks.callbacks[0].seen
    assert notes[:4] == notes[4:]
    assert notes[1] == (JobStatus.COMPLETED, 7.0)


def test_a_job_that_fails_says_so_and_the_next_one_runs(context: HydraContext) -> None:
    def task(config: DictConfig) -> float:
        if config.lr > 0.5:
            raise ArithmeticError(f"lr {config.lr}")
        return 1.0

    for launcher in launchers(context, task):
        failed, ran = launcher.launch([["lr=0.9"], []], initial_job_idx=0)
        assert failed.status == JobStatus.FAILED
        assert str(failed._return_value) == "lr 0.9"
        assert (ran.status, ran.return_value) == (JobStatus.COMPLETED, 1.0)


@pytest.mark.parametrize("stops", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_process_leaves_hydra_as_it_was(
    context: HydraContext, stops: type[BaseException]
) -> None:
    def task(config: DictConfig) -> float:
        raise stops

    for launcher in launchers(context, task):
        with pytest.raises(stops):
            launcher.launch([["hydra.job.env_set.FER_TRIAL='4'"]], initial_job_idx=0)
        assert HydraConfig.instance().cfg is None
        assert "FER_TRIAL" not in os.environ


def test_only_hydras_own_launcher_is_replaced() -> None:
    found_by_hydra = Plugins.instance()._instantiate(OmegaConf.create({"_target_": BASIC}))
    assert is_basic(found_by_hydra)

    class Mine(BasicLauncher):
        pass

    assert not is_basic(Mine())


BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
