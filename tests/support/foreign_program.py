"""A Hydra program of somebody else's, with its own configuration folder, run in this process by a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fer_lightning.sweeps.study.results import Trial, load_trials

# What a program of one's own needs to use the sweeper, and logs kept out of a test's way.
PRIMARY = """
defaults:
  - _self_
{defaults}
  - override hydra/sweeper: fer_optuna
  - override hydra/sweeper/sampler: brute_force
  - override hydra/job_logging: {job_logging}
  - override hydra/hydra_logging: none
hydra:
  mode: MULTIRUN
  sweep: {{dir: sweep}}
{values}
"""


class Program:
    """Runs a task function as `hydra.main` would, and keeps what its jobs saw.

    Parameters
    ----------
    folder
        The working directory, with the configuration in ``conf/``.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.seen: list[dict[str, Any]] = []
        self._monkeypatch = monkeypatch

    def write(
        self,
        values: str,
        *,
        defaults: str = "",
        options: Mapping[str, str] | None = None,
        job_logging: str = "none",
    ) -> None:
        """Write the primary configuration, and the options of groups by their paths."""
        primary = PRIMARY.format(defaults=defaults, values=values, job_logging=job_logging)
        for name, text in {"config": primary, **(options or {})}.items():
            path = self.folder / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, task: Callable[[DictConfig], Any], *overrides: str) -> list[Trial]:
        """Run the sweep; each job's resolved configuration is added to `seen`."""

        def watched(config: DictConfig) -> Any:
            plain = OmegaConf.to_container(config, resolve=True)
            assert isinstance(plain, dict)
            self.seen.append({str(key): value for key, value in plain.items()})
            return task(config)

        GlobalHydra.instance().clear()
        self._monkeypatch.chdir(self.folder)
        self._monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        self._monkeypatch.setattr(sys, "argv", ["program.py", *overrides])
        try:
            hydra.main(config_path=str(self.folder / "conf"), config_name="config", version_base="1.3")(
                watched
            )()
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None
        return load_trials(self.folder / "sweep")
