"""Check everything that a command will run before any of it runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.combinations import check_constrained, check_measured, check_objectives
from fer_lightning.config.compose import compose_config
from fer_lightning.config.flags import CommandLine
from fer_lightning.config.schema import check_config
from fer_lightning.config.variants import Variants
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError, UserError
from fer_lightning.messages import counted, progress
from fer_lightning.runs.files import require_plain, require_writable
from fer_lightning.study.configurations import Configuration, configurations, without_sweeps
from fer_lightning.study.earlier_data import check_earlier_data
from fer_lightning.sweeps.study.constraints import parse_constraints
from fer_lightning.training.build import build_data, build_module, check_parts, check_trainer
from fer_lightning.training.build_loss import build_loss
from fer_lightning.training.distillation import read_teachers
from fer_lightning.training.library_warnings import quiet_libraries
from fer_lightning.training.ranks import check_strategy
from fer_lightning.training.rehearsal import check_shares, rehearse

# What differs between runs without a part of them being another one.
_NO_PART = ("seed", "seeds", "note", "logger", "ablation", "study", "resume")


def preflight(line: CommandLine) -> bool:
    """Check a run, or each alternative of a sweep, level of an ablation plan and value of a search space alone.

    The data of a sweep are prepared too.

    Returns
    -------
    Whether there are several trainings.

    Raises
    ------
    UserError
        A key, a value, a combination or the data are not as expected.
    """
    quiet_libraries()
    base, alternatives = without_sweeps(line.overrides)
    place = line.config_name, line.config_path
    of_hydra = [word for word in line.overrides if word.lstrip("+").startswith("hydra") and word not in base]
    whole = compose_config([*base, *of_hydra], *place, with_hydra=True)
    settings = whole.hydra
    sweeps = line.multirun or str(settings.mode).endswith("MULTIRUN")
    kind = "sweep" if sweeps else "run"
    with suppress(OmegaConfBaseException):  # a folder named by what Hydra sets in each job
        require_plain(settings[kind].dir, f"hydra.{kind}.dir")
        require_writable(settings[kind].dir, f"hydra.{kind}.dir")
    if sweeps and "LOCAL_RANK" in os.environ:
        raise ConfigError(
            f"LOCAL_RANK={os.environ['LOCAL_RANK']}: torchrun would start a study or a multirun several times; "
            "expected python -m fer_lightning, whose runs start trainer.devices processes by themselves"
        )
    check = _Check(settings, sweeps=sweeps)
    variants = Variants(base, *place, composed=whole)
    runs = list(configurations(line.overrides, alternatives, whole, variants, sweeps=sweeps))
    for run in progress(runs, f"checking {counted(len(runs), 'configuration')}"):
        _check_one(run, lambda words: check(variants(words)))
    return sweeps


def _check_one(configuration: Configuration, check: Callable[[Sequence[str]], None]) -> None:
    """Refuse what is refused in every way, with the first reason."""
    refused: list[UserError] = []
    for words in configuration.ways:
        try:
            return check(words)
        except UserError as error:
            refused.append(error)
    if not configuration.what:
        raise refused[0]
    raise ConfigError(f"{configuration.what}: {refused[0]}") from refused[0]


class _Check:
    """Checks one configuration after another, each set of parts once.

    Parameters
    ----------
    settings
        Hydra's own part of the configuration.
    sweeps
        Whether there are several runs. Their data are prepared and their nets called here, rather than in every run or
        worker; a single run does so itself.
    """

    def __init__(self, settings: DictConfig, *, sweeps: bool) -> None:
        self._sweeps = sweeps
        self._sweeper = settings.sweeper
        launcher = settings.launcher._target_
        if sweeps and launcher.endswith(".SlurmLauncher") and shutil.which("srun") is None:
            name = settings.runtime.choices["hydra/launcher"]
            raise ConfigError(
                f"hydra/launcher={name}: this machine has no srun; expected one of a SLURM cluster, or "
                "hydra/launcher=submitit_local"
            )
        # Other launchers train on other machines.
        self._trains_here = not sweeps or launcher.endswith((".BasicLauncher", ".JoblibLauncher"))
        self._seen: set[str] = set()
        self._objectives: list[str] = []
        self._data: tuple[DictConfig, FaceDataModule] | None = None

    def __call__(self, config: DictConfig) -> None:
        check_config(config)
        plain = OmegaConf.to_container(config, resolve=False)
        assert isinstance(plain, dict)
        parts = json.dumps({key: value for key, value in plain.items() if key not in _NO_PART}, default=str)
        if parts in self._seen:
            return
        self._seen.add(parts)
        check_parts(config)
        check_strategy(config)
        if self._trains_here:
            check_trainer(config)
        if self._sweeps:
            self._rehearse(config)

    def _rehearse(self, config: DictConfig) -> None:
        if self._data is None or self._data[0] != config.data:
            self._data = config.data, build_data(config)
        data = self._data[1]
        check_shares(config.trainer, data)
        loss = build_loss(config.loss, data, read_teachers(config.loss.teacher))
        rehearse(build_module(config, data, {}, loss), data)
        check_measured(config, data.faces.class_names)
        if "objective" in self._sweeper:  # a study
            given = self._sweeper.objective or config.metric
            self._objectives = self._objectives or ([given] if isinstance(given, str) else list(given))
            check_objectives(config, self._objectives, data.faces.class_names)
            check_earlier_data(self._sweeper.get("begin_from"), data.faces.name, data.faces.fingerprint)
            limited = parse_constraints(self._sweeper.get("constraints"))
            check_constrained(config, [limit.name for limit in limited], data.faces.class_names)
