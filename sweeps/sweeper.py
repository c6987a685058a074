"""Between Hydra and the study: from a composed configuration to a study that is named, opened and run."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fer_lightning.errors import ConfigError
from fer_lightning.redact import redact
from fer_lightning.runs.code_fingerprint import code_fingerprint, find_targets, task_target
from fer_lightning.runs.files import write_text
from fer_lightning.signals import stoppable
from fer_lightning.sweeps.command import read_command, require_known_options
from fer_lightning.sweeps.composition import Composition
from fer_lightning.sweeps.controller import Controller
from fer_lightning.sweeps.hydra_private import read_files_once
from fer_lightning.sweeps.jobs.launch import HydraLauncher, job_overrides, run_jobs
from fer_lightning.sweeps.jobs.task import TracedTask
from fer_lightning.sweeps.jobs.workers import Workers, given_place, starter_lives
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.beginning import Beginning, read_beginning
from fer_lightning.sweeps.plan.checked_plan import read_plan, replaced_levels
from fer_lightning.sweeps.plan.earlier_study import read_earlier
from fer_lightning.sweeps.queue.claim import Claim
from fer_lightning.sweeps.queue.lease import storage_failures_halt
from fer_lightning.sweeps.queue.trial_queue import TrialQueue
from fer_lightning.sweeps.space.checked_space import read_space, replaced_values
from fer_lightning.sweeps.space.custom_space import CustomSpace
from fer_lightning.sweeps.space.override import key_of, node_of, override
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.study.address import storage_url
from fer_lightning.sweeps.study.best import write_best
from fer_lightning.sweeps.study.code import searched_targets
from fer_lightning.sweeps.study.constraints import sampler_note
from fer_lightning.sweeps.study.identity import fixed_part, study_name
from fer_lightning.sweeps.study.judgement import settle_judgement
from fer_lightning.sweeps.study.open import StudySpec, numbered_directory, open_study
from fer_lightning.sweeps.study.origin import origin_of
from fer_lightning.sweeps.study.outcome import failure_of
from fer_lightning.sweeps.study.place import leave_place

log = logging.getLogger(__name__)


class StudySweep:
    """One command's sweep: reads the configuration once, then runs the study."""

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._config = config
        self._task_function = task_function
        read_files_once(hydra_context.config_loader)
        parser = OverridesParser.create(config_loader=hydra_context.config_loader)
        require_known_options(config, hydra_context.config_loader)
        command = read_command(config, parser)
        self._notes = command.notes
        self._composition = Composition(hydra_context, config, command.fixed, command.swept)
        self._options = SweepOptions.from_config(settle_judgement(command.options, self._composition.lookup))
        self._plan = read_plan(self._options, self._composition)
        self._space = self._read_space(command.swept)
        self._custom = self._read_custom_space()
        self._beginning = (
            read_beginning(self._options, self._space, self._composition, custom=self._custom is not None)
            if self._plan is None
            else Beginning()
        )
        self._spec = self._name_study()
        self._launcher: HydraLauncher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=TracedTask(task_function), config=config
        )

    def _read_space(self, swept: SearchSpace) -> SearchSpace:
        if self._plan is None:
            return read_space(self._options, self._composition, swept)
        custom = self._options.custom_search_space
        searched = [*swept.keys, *(self._options.search_space or {}), *([custom] if custom else [])]
        if searched:
            raise ConfigError(
                f"search_space has {searched[0]}, but there is an ablation plan as well: give one"
            )
        return SearchSpace(())

    def _read_custom_space(self) -> CustomSpace | None:
        name = self._options.custom_search_space
        if name is None:
            return None
        return CustomSpace(name, self._composition.config, self._composition.fixed)

    def _read_code(self) -> dict[str, str]:
        """The fingerprint of the own files that the study's trials run, whatever options they are given."""
        sampler = {} if self._plan is not None else {"sampler": self._options.sampler}
        used = {name for _, name in find_targets({**sampler, "pruner": self._options.pruner})}
        used |= self._composition.targets | searched_targets(self._space)
        used |= {self._custom.name} if self._custom is not None else set()
        return code_fingerprint(sorted({*used, task_target(self._task_function)}))

    def _name_study(self) -> StudySpec:
        options = self._options
        config = OmegaConf.to_container(self._composition.config, resolve=False)
        assert isinstance(config, dict)
        fixed = {
            **fixed_part({str(key): value for key, value in config.items()}, self._varied()),
            "hydra.sweeper.objective": list(options.objective),
            "hydra.sweeper.direction": list(options.direction),
            "hydra.sweeper.sampler": dict(options.sampler) if self._plan is None else None,
            "hydra.sweeper.pruner": None if options.pruner is None else dict(options.pruner),
            "search_space": self._space.as_config(),
            "ablation": None if self._plan is None else self._plan.as_config(),
        }
        if self._custom is not None:
            fixed["hydra.sweeper.custom_search_space"] = self._custom.name
        if options.constraints is not None:
            fixed["hydra.sweeper.constraints"] = list(options.constraints)
        place = given_place()
        name = options.study_name if place is None else place[0]
        if name == "auto":
            data = str(
                OmegaConf.select(self._composition.config, "data.name", default=None)
                or self._composition.lookup("data")
                or ""
            )
            name = study_name(options.label, data, fixed)
        sweep_dir = self._settle_directory(name, None if place is None else place[1])
        url = storage_url(options.storage, sweep_dir)
        taken = read_earlier(options, self._space, self._composition, fixed, (url, name))
        return StudySpec(
            name=name,
            url=url,
            sweep_dir=sweep_dir,
            options=options,
            fixed=fixed,
            space=self._space,
            plan=self._plan,
            lookup=self._composition.lookup,
            custom=self._custom,
            subdirectory=self._subdirectory,
            notes=(
                *self._notes,
                *self._repeated(),
                *self._replaced(),
                *self._beginning.notes,
                *taken.notes,
                *sampler_note(options.limits_of_trials, str(options.sampler["_target_"])),
            ),
            code=self._read_code(),
            origin=origin_of(self._task_function),
            first=self._beginning.points,
            confirmation=self._beginning.confirmation,
            choices=self._composition.choices,
            taken=taken.trials,
        )

    def _replaced(self) -> list[str]:
        """What a reader would take for an option's own value and is the configuration's."""
        if self._plan is not None:
            return replaced_levels(self._plan, self._composition)
        return replaced_values(self._space, self._composition)

    def _repeated(self) -> list[str]:
        """What a reader would take for a search."""
        if self._plan is not None or len(self._space) or self._custom is not None:
            return []
        return [f"nothing is searched: the same run {self._options.n_trials} times"]

    def _varied(self) -> set[str]:
        """Where the configuration has what the study varies."""
        keys = set(self._space.keys) if self._plan is None else self._plan.keys
        repeats = {key_of(self._options.seed_key)}
        if self._plan is not None and self._plan.folds is not None:
            repeats.add(key_of(self._plan.fold_key))
        return {node_of(key) for key in keys} | repeats

    def _settle_directory(self, name: str, given: Path | None) -> Path:
        """Give every job the study's name and folder, the name as if it had been typed.

        Hydra 1.4 refuses a job whose `hydra.sweeper` differs from the command's.
        """
        with read_write(self._config.hydra), open_dict(self._config.hydra):
            self._config.hydra.sweeper.study_name = name
            self._config.hydra.overrides.hydra.append(override("hydra.sweeper.study_name", name))
            sweep_dir = given or Path(str(self._config.hydra.sweep.dir)).absolute()
            self._config.hydra.sweep.dir = str(sweep_dir)
        return sweep_dir

    def _subdirectory(self, number: int, overrides: Sequence[str]) -> str:
        sweep = OmegaConf.to_container(self._config.hydra.sweep, resolve=False)
        if sweep["subdir"] == "auto":  # type: ignore[index,call-overload]
            return numbered_directory(number)
        return self._composition.subdirectory(number, overrides)

    @stoppable()
    def run(self) -> None:
        """Run the study to the end of its budget.

        Raises
        ------
        RunsFailedError
            If nothing of the study, or of one of its arms, succeeded.
        """
        spec = self._spec
        with storage_failures_halt(spec.url):
            study = open_study(spec)
        spec.sweep_dir.mkdir(parents=True, exist_ok=True)
        kept = OmegaConf.create(redact(OmegaConf.to_container(self._config)))
        write_text(spec.sweep_dir / "multirun.yaml", OmegaConf.to_yaml(kept))
        leave_place(spec.sweep_dir, spec.url, spec.name)
        try:
            with Workers(spec) as workers:
                with storage_failures_halt(spec.url):
                    controller = Controller(study, spec, self._run_batch, may_go_on=starter_lives)
                    controller.run()
                workers.wait()
        except KeyboardInterrupt:
            # The person knows that they pressed Ctrl-C: a traceback would only hide how to go on.
            raise SystemExit(128 + signal.SIGINT) from None
        failure = None if given_place() is not None else failure_of(controller.trials(), spec)
        if failure is not None:
            # Hydra 1.3 calls them after a sweep that returns; what went wrong is to be found in the report, too.
            with suppress(SystemExit):  # a report that cannot be written either
                self._context.callbacks.on_multirun_end(config=self._config)
            self._context.callbacks.callbacks.clear()  # Hydra 1.4 calls them after an error
            raise failure
        if given_place() is None and spec.plan is None:
            write_best(study, spec.sweep_dir, self._space.keys)

    def _run_batch(self, queue: TrialQueue, batch: list[Claim]) -> None:
        fixed = self._composition.fixed
        overrides = [job_overrides(self._spec, fixed, claim, self._launcher) for claim in batch]
        run_jobs(
            self._spec,
            self._launcher,
            queue,
            batch,
            overrides,
            lambda words: self._composition.compose(words[len(self._composition.fixed) :], "the trial"),
        )
