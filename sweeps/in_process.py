"""Running jobs in this process as Hydra's basic launcher does, with two copies of their configuration, not five."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import (
    JobReturn,
    JobRuntime,
    JobStatus,
    configure_log,
    env_override,
    filter_overrides,
    run_job,
    setup_globals,
)
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict, read_write

log = logging.getLogger("hydra._internal.core_plugins.basic_launcher")


class InProcess:
    """Runs jobs one after the other.

    OmegaConf copies a configuration node by node, which takes Hydra as long as a short epoch for each trial; pickling
    gives the same in a fifth of the time. A job that asks for its own working directory or for Hydra's record of it
    is run by Hydra.

    Parameters
    ----------
    context, task_function, config
        As a launcher is given them in its `setup`.
    compose
        Composes a job's configuration from its overrides.
    """

    def __init__(
        self,
        context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
        compose: Callable[[list[str]], DictConfig],
    ) -> None:
        self._context = context
        self._task_function = task_function
        self._config = config
        self._compose = compose

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run the jobs to their end."""
        setup_globals()
        hydra = self._config.hydra
        Path(str(hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        returns = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            config = self._compose(list(overrides))
            with open_dict(config):
                config.hydra.job.id = number
                config.hydra.job.num = number
            returns.append(self._run(config))
            configure_log(hydra.hydra_logging, hydra.verbose)
        return returns

    def _run(self, config: DictConfig) -> JobReturn:
        if config.hydra.job.chdir or config.hydra.output_subdir is not None:
            return run_job(
                hydra_context=self._context,
                task_function=self._task_function,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        before = HydraConfig.instance().cfg
        try:
            return self._run_task(config)
        finally:
            HydraConfig.instance().cfg = before

    def _run_task(self, config: DictConfig) -> JobReturn:
        task, shown = _two_parts(config)
        HydraConfig.instance().cfg = shown
        folder = os.path.abspath(os.path.join(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)))
        for hydra in (config.hydra, shown.hydra):
            with read_write(hydra.runtime), open_dict(hydra.runtime):
                hydra.runtime.output_dir = folder
        overrides = OmegaConf.to_container(config.hydra.overrides.task)
        assert isinstance(overrides, list)
        result = JobReturn(overrides=overrides, cfg=task, hydra_cfg=shown, working_dir=os.getcwd())
        Path(folder).mkdir(parents=True, exist_ok=True)
        configure_log(config.hydra.job_logging, config.hydra.verbose)
        with env_override(shown.hydra.job.env_set):
            self._context.callbacks.on_job_start(config=config, task_function=self._task_function)
            try:
                result.return_value, result.status = self._task_function(task), JobStatus.COMPLETED
            except Exception as error:
                result.return_value, result.status = error, JobStatus.FAILED
        result.task_name = JobRuntime.instance().get("name")
        for handler in logging.getLogger().handlers:
            handler.flush()
        self._context.callbacks.on_job_end(config=config, job_return=result)
        return result


def _two_parts(config: DictConfig) -> tuple[DictConfig, Any]:
    """Return the job's own configuration, and Hydra's part as `HydraConfig` holds it: looking into the whole one."""
    OmegaConf.set_readonly(config.hydra, True)
    whole = pickle.dumps(config, -1)
    task: DictConfig = pickle.loads(whole)
    with read_write(task), open_dict(task):
        del task["hydra"]
    hydra = pickle.loads(whole)._get_node("hydra")
    shown = OmegaConf.create()
    with flag_override(shown, "no_deepcopy_set_nodes", True):
        shown.hydra = hydra
    shown.hydra._set_parent(config)
    return task, shown


def is_basic(launcher: Launcher) -> bool:
    """Whether a launcher is Hydra's basic one, and not one that was made of it."""
    # Hydra loads its plugins' modules once more when it looks for them, so the class is told by its name.
    return f"{type(launcher).__module__}.{type(launcher).__qualname__}" == BASIC


BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
