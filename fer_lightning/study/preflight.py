"""Check everything that a command will run before any of it runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.combinations import check_constrained, check_measured, check_objectives
from fer_lightning.config.compose import compose_config
from fer_lightning.config.flags import CommandLine
from fer_lightning.config.schema import check_config
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError, UserError
from fer_lightning.messages import counted, progress
from fer_lightning.runs.files import require_plain, require_writable
from fer_lightning.study.earlier_data import check_earlier_data
from fer_lightning.sweeps.command import read_command
from fer_lightning.sweeps.composition import selected
from fer_lightning.sweeps.plan.parse_plan import parse_plan
from fer_lightning.sweeps.plan.plan import BASELINE
from fer_lightning.sweeps.space.override import key_of, override
from fer_lightning.sweeps.study.constraints import parse_constraints
from fer_lightning.training.build import build_data, build_module, check_parts, check_trainer
from fer_lightning.training.build_loss import build_loss
from fer_lightning.training.distillation import read_teachers
from fer_lightning.training.library_warnings import quiet_libraries
from fer_lightning.training.ranks import check_strategy
from fer_lightning.training.rehearsal import check_shares, rehearse

# What differs between runs without a part of them being another one.
_NO_PART = ("seed", "seeds", "note", "logger", "ablation", "study", "resume")


def preflight(line: CommandLine) -> None:
    """Check a run, each alternative of a sweep or each level of an ablation plan; prepare the data of a sweep.

    Raises
    ------
    UserError
        A key, a value, a combination or the data are not as expected.
    """
    quiet_libraries()
    alternatives = _alternatives(line.overrides)
    base, place = alternatives[0], (line.config_name, line.config_path)
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
    arms = list(_levels(whole)) if sweeps else []
    if not arms:
        _require_no_seeds(line.overrides, sweeps=sweeps)
    runs = [(arm, [*base, *overrides]) for arm, overrides in arms] or [
        (BASELINE, words) for words in alternatives
    ]
    for arm, words in progress(runs, f"checking {counted(len(runs), 'configuration')}"):
        try:
            check(compose_config(words, *place))
        except UserError as error:
            if arm == BASELINE:
                raise
            raise ConfigError(f"ablation, arm {arm}: {error}") from error


def _alternatives(overrides: Sequence[str]) -> list[list[str]]:
    """Return override lists that between them hold every value that a sweep will set, each list without sweeps."""
    parser = OverridesParser.create()
    fixed: list[str] = []
    swept: list[list[str]] = []
    for word in overrides:
        try:
            parsed = parser.parse_override(word)
        except HydraException as error:
            raise ConfigError(f"{word}: cannot be read ({' '.join(str(error).split())})") from error
        if parsed.is_hydra_override() and parsed.key_or_group != "hydra.searchpath":
            continue
        if not parsed.is_discrete_sweep():
            # A continuous range has no values to try beforehand.
            if not parsed.is_sweep_override():
                fixed.append(word)
            continue
        key = parsed.get_key_element()
        swept.append([f"{key}={value}" for value in parsed.sweep_string_iterator()])
    base = [*fixed, *(values[0] for values in swept)]
    others = [[*base, value] for values in swept for value in values[1:]]
    return [base, *others]


def _levels(config: DictConfig) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield name and overrides of the arms of a study's plan in which at most one factor is off its baseline."""
    if "plan" not in config.hydra.sweeper:
        return
    options = read_command(config, OverridesParser.create()).options
    if options["plan"] is None:
        return
    plan = parse_plan(
        options["plan"], options["seeds"], lambda key: selected(config, key), options["seed_key"]
    )
    fold = [] if options["folds"] is None else [override(options["fold_key"], 0)]
    for arm in plan.arms:
        if sum(arm.levels[factor.name] != factor.baseline for factor in plan.factors) <= 1:
            yield arm.name, [*arm.overrides, *fold]


def _require_no_seeds(overrides: Sequence[str], *, sweeps: bool) -> None:
    """Refuse `seeds`, which only an ablation plan runs over."""
    typed = [word for word in overrides if key_of(word) == "seeds"]
    if typed:
        expected = (
            "seed=0,1,2 for a run of each" if sweeps else "seed=0, or with -m seed=0,1,2 for a run of each"
        )
        confirm = "; a search is confirmed over hydra.sweeper.confirm_seeds" if sweeps else ""
        raise ConfigError(f"{typed[-1]}: only an ablation runs over seeds; expected {expected}{confirm}")


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
