"""Between Hydra and the study: from a composed configuration to a study that is named, opened and run."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.address import storage_url
from fer_lightning.sweeps.cell import TUNING
from fer_lightning.sweeps.claim import Claim, Claims
from fer_lightning.sweeps.command_line import split_overrides
from fer_lightning.sweeps.composer import TrialComposer
from fer_lightning.sweeps.config_files import read_files_once
from fer_lightning.sweeps.engine import Engine
from fer_lightning.sweeps.hold import storage_failures_halt
from fer_lightning.sweeps.in_process import InProcess, is_basic
from fer_lightning.sweeps.judgement import settle_judgement
from fer_lightning.sweeps.launch import HydraLauncher, job_overrides, run_jobs, write_once
from fer_lightning.sweeps.naming import fixed_part, study_name
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.override import key_of
from fer_lightning.sweeps.place import leave_place
from fer_lightning.sweeps.plan import Plan
from fer_lightning.sweeps.plan_config import parse_plan
from fer_lightning.sweeps.space import SearchSpace
from fer_lightning.sweeps.space_config import in_order, parse_space
from fer_lightning.sweeps.study import StudySpec, open_study
from fer_lightning.sweeps.tuning import Tuning
from fer_lightning.sweeps.workers import Workers, given_place, starter_lives
from fer_lightning.tracking.redact import redact_text

log = logging.getLogger(__name__)


class StudySweep:
    """One command's sweep: reads the configuration once, then runs the study."""

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._config = config
        read_files_once(hydra_context.config_loader)
        parser = OverridesParser.create(config_loader=hydra_context.config_loader)
        task = parser.parse_overrides(list(config.hydra.overrides.task))
        self._fixed_overrides, swept = split_overrides(task)
        self._composer = TrialComposer(hydra_context.config_loader, config, self._fixed_overrides)
        self._job_config = self._compose(self._fixed_overrides, "the configuration")
        sweeper = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
        assert isinstance(sweeper, dict)
        options = settle_judgement(
            {str(key): value for key, value in sweeper.items()},
            lambda key: OmegaConf.select(self._job_config, key, default=None),
        )
        self._options = SweepOptions.from_config(options)
        self._plan = self._read_plan()
        self._space = self._read_space(swept)
        self._spec = self._name_study()
        self._launcher = self._find_launcher(task_function)

    def _find_launcher(self, task_function: TaskFunction) -> HydraLauncher:
        launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=task_function, config=self._config
        )
        if not is_basic(launcher):
            return launcher
        return InProcess(self._context, task_function, self._config, self._composer.compose)

    def _compose(self, overrides: Sequence[str], what: str) -> DictConfig:
        try:
            return self._composer.compose(list(overrides))
        except (HydraException, OmegaConfBaseException) as error:
            cause = error.__cause__ or error
            text = " ".join(line.strip() for line in str(cause).splitlines()[:2])
            raise ConfigError(f"{what} cannot be composed: {text}") from error

    def _lookup(self, key: str) -> Any:
        """A key's value in the fixed configuration; for a group, the option that is chosen."""
        return _select(self._job_config, key)

    def _read_plan(self) -> Plan | None:
        if self._options.plan is None:
            return None
        plan = parse_plan(self._options.plan, self._options.seeds, self._lookup)
        for text in self._fixed_overrides:
            key = key_of(text)
            if key in plan.keys and "=" in text and text.split("=", 1)[1]:
                raise ConfigError(
                    f"{text}: {key} is varied by the plan; set its baseline under ablation.factors instead"
                )
            if key == "seed":
                raise ConfigError(f"{text}: the plan runs every arm over `seeds`; give seeds=[…] instead")
        for factor in plan.factors:
            for level, texts in factor.levels.items():
                self._compose(
                    [*self._fixed_overrides, *texts], f"ablation.factors.{factor.name}, level {level},"
                )
        return plan if plan.tuning is None else self._settle_tuning(plan, plan.tuning)

    def _settle_tuning(self, plan: Plan, tuning: Tuning) -> Plan:
        """Look up each arm's own settings, and try whether it can be given others."""
        own: dict[str, dict[str, Any]] = {}
        for arm in plan.arms:
            overrides = [*self._fixed_overrides, *arm.overrides]
            config = self._compose(overrides, f"the arm {arm.name}")
            own[arm.name] = {p.name: _select(config, p.key) for p in plan.tunable(arm)}
            other = plan.tried(arm, 1, TUNING, tuning.seed).overrides
            self._compose([*self._fixed_overrides, *other], f"ablation.tuning, arm {arm.name},")
        return replace(plan, tuning=replace(tuning, own=own))

    def _read_space(self, swept: SearchSpace) -> SearchSpace:
        configured = parse_space(self._options.search_space)
        fixed = {key_of(text) for text in self._fixed_overrides}
        left = configured.without({*fixed, *swept.keys})
        # What the conditions name comes first, be it from the configuration or from the command line.
        space = SearchSpace(in_order([*swept.parameters, *left.parameters]))
        if self._plan is not None:
            if len(space):
                raise ConfigError(
                    f"search_space has {space.keys[0]}, but there is an ablation plan as well: give one"
                )
            return space
        if not len(space):
            raise ConfigError(
                "nothing to search: give a search_space, an ablation plan, or overrides such as key=a,b"
            )
        self._check_keys(space)
        return space

    def _check_keys(self, space: SearchSpace) -> None:
        """Compose once with every key and look up every group option, so that slips are found at once."""
        some = {p.key: p.override(p.some_value()) for p in space.parameters}
        self._compose([*self._fixed_overrides, *some.values()], "the search space")
        for parameter in space.parameters:
            if parameter.key in self._job_config.hydra.runtime.choices:
                options = self._context.config_loader.get_group_options(parameter.key)
                unknown = [value for value in parameter.candidates() or [] if value not in options]
                if unknown:
                    raise ConfigError(
                        f"search_space.{parameter.name}: {unknown[0]!r} is none of {', '.join(options)}"
                    )

    def _name_study(self) -> StudySpec:
        options = self._options
        varied = self._plan.keys if self._plan is not None else set(self._space.keys)
        config = OmegaConf.to_container(self._job_config, resolve=False)
        assert isinstance(config, dict)
        fixed = {
            **fixed_part({str(key): value for key, value in config.items()}, varied),
            "hydra.sweeper.objective": list(options.objective),
            "hydra.sweeper.direction": list(options.direction),
            "hydra.sweeper.sampler": dict(options.sampler) if self._plan is None else None,
            "hydra.sweeper.pruner": None if options.pruner is None else dict(options.pruner),
            "search_space": self._space.as_config(),
            "ablation": None if self._plan is None else self._plan.as_config(),
        }
        place = given_place()
        name = options.study_name if place is None else place[0]
        if name == "auto":
            data = str(
                OmegaConf.select(self._job_config, "data.name", default=None) or self._lookup("data") or ""
            )
            name = study_name(options.label, data, fixed)
        sweep_dir = self._settle_directory(name, None if place is None else place[1])
        return StudySpec(
            name=name,
            url=storage_url(options.storage, sweep_dir),
            sweep_dir=sweep_dir,
            options=options,
            fixed=fixed,
            space=self._space,
            plan=self._plan,
            lookup=self._lookup,
        )

    def _settle_directory(self, name: str, given: Path | None) -> Path:
        with read_write(self._config.hydra), open_dict(self._config.hydra):
            self._config.hydra.sweeper.study_name = name
            sweep_dir = given or Path(str(self._config.hydra.sweep.dir)).absolute()
            self._config.hydra.sweep.dir = str(sweep_dir)
        return sweep_dir

    def run(self) -> str:
        """Run the study to the end of its budget; return its name."""
        spec = self._spec
        with storage_failures_halt(spec.url):
            study = open_study(spec)
        spec.sweep_dir.mkdir(parents=True, exist_ok=True)
        write_once(spec.sweep_dir / "multirun.yaml", redact_text(OmegaConf.to_yaml(self._config)))
        leave_place(spec.sweep_dir, spec.url, spec.name)
        try:
            with Workers(spec) as workers:
                with storage_failures_halt(spec.url):
                    Engine(study, spec, self._run_batch, may_go_on=starter_lives).run()
                workers.wait()
        except KeyboardInterrupt:
            # The person knows that they pressed Ctrl-C: a traceback would only hide how to go on.
            raise SystemExit(128 + signal.SIGINT) from None
        return spec.name

    def _run_batch(self, claims: Claims, batch: list[Claim]) -> None:
        overrides = [job_overrides(self._spec, self._fixed_overrides, claim) for claim in batch]
        run_jobs(self._launcher, claims, batch, overrides, lambda words: self._compose(words, "the trial"))


def _select(config: DictConfig, key: str) -> Any:
    """A key's value as plain containers; for a group, the option that is chosen; None where there is none."""
    choices = config.hydra.runtime.choices
    value = choices[key] if key in choices else OmegaConf.select(config, key, default=None)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
