"""An experiment: Hydra composes it and runs it once or, in a sweep, many times."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.combinations import check_objectives
from fer_lightning.config.compose import VERSION_BASE, compose_config, describe_override_error, is_sweep
from fer_lightning.config.flags import CommandLine
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError, UserError
from fer_lightning.runs import provenance
from fer_lightning.runs.files import require_plain, require_writable
from fer_lightning.sweeps.jobs.environment import Job


def run_job(config: DictConfig) -> float | None:
    """Train one model in Hydra's output folder, as a trial if a study runs, and return its monitored metric."""
    from fer_lightning.runs.record import is_first_process
    from fer_lightning.training.train import run_folder, train

    if Job.current() is not None:
        from fer_lightning.study.trial import run_trial

        return run_trial(config, run_folder())
    result = train(config, run_folder())
    if is_first_process():
        log.info("%s", result.in_words())
    return result.value


log = logging.getLogger(__name__)


class _Job:
    """Keeps a single run's mistake back from Hydra, which would announce it in two more lines."""

    def __init__(self) -> None:
        self.mistake: UserError | None = None

    def __call__(self, config: DictConfig) -> float | None:
        try:
            return run_job(config)
        except UserError as error:
            if HydraConfig.get().mode != RunMode.RUN:
                raise
            self.mistake = error
            return None


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


def preflight(line: CommandLine) -> None:
    """Check everything that the command will run before any of it runs, and prepare the data of a study.

    Raises
    ------
    UserError
        A key, a value, a combination or the data are not as expected.
    """
    from fer_lightning.training.build import build_data, build_module, check_parts, check_trainer
    from fer_lightning.training.library_warnings import quiet_libraries
    from fer_lightning.training.ranks import check_strategy
    from fer_lightning.training.rehearsal import rehearse

    quiet_libraries()
    alternatives = _alternatives(line.overrides)
    place = (line.config_name, line.config_path)
    for words in alternatives:
        config = compose_config(words, *place)
        check_config(config)
        check_parts(config)
        check_strategy(config)
    of_hydra = [word for word in line.overrides if word.lstrip("+").startswith("hydra") and word not in words]
    settings = compose_config([*alternatives[0], *of_hydra], *place, with_hydra=True).hydra
    sweeps = line.multirun or str(settings.mode).endswith("MULTIRUN")
    kind = "sweep" if sweeps else "run"
    with suppress(OmegaConfBaseException):  # a folder named by what Hydra sets in each job
        require_plain(settings[kind].dir, f"hydra.{kind}.dir")
        require_writable(settings[kind].dir, f"hydra.{kind}.dir")
    # Other launchers train on other machines.
    if settings.launcher._target_.endswith((".BasicLauncher", ".JoblibLauncher")):
        check_trainer(config)
    if config.get("ablation") or config.get("search_space") or len(alternatives) > 1:
        if "LOCAL_RANK" in os.environ:
            raise ConfigError(
                f"LOCAL_RANK={os.environ['LOCAL_RANK']}: torchrun would start a study or a multirun several times; "
                "expected python -m fer_lightning, whose runs start trainer.devices processes by themselves"
            )
        # Once here, rather than in every worker at the same moment; and a mistake in the data is met at once.
        data = build_data(config)
        rehearse(build_module(config, data, {}), data)
        if "objective" in settings.sweeper:  # a study
            given = settings.sweeper.objective or config.metric
            objectives = [given] if isinstance(given, str) else list(given)
            plain: Any = OmegaConf.to_container(config, resolve=True)
            check_objectives(plain, objectives, data.faces.class_names)


def _with_mode(line: CommandLine) -> list[str]:
    """Return the arguments for Hydra, with the mode that the chosen experiment sets.

    Hydra 1.4 reads `hydra.mode` from the command line and the primary configuration only, and refuses it in an
    included file.
    """
    asked = [*line.flags, *line.words]
    given = line.multirun or any(word.startswith("hydra.mode=") for word in line.words)
    if line.runs and not given and is_sweep(line.overrides, line.config_name, line.config_path):
        asked.append("hydra.mode=MULTIRUN")
    return asked


def run_experiment(line: CommandLine) -> int:
    """Give what was typed to Hydra and return the exit status.

    Raises
    ------
    UserError
        Something was not as expected.
    """
    # Hydra would print a traceback and exit by itself; with this it leaves errors to us.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    os.environ.setdefault("MPLBACKEND", "Agg")
    for word in line.words:
        if "=" not in word and not word.startswith("~"):
            raise ConfigError(f"{word}: expected key=value, such as seed=0, or a command first; see --help")
    if line.runs:
        preflight(line)
    program, before = sys.argv[0], sys.argv
    sys.argv, provenance.typed_arguments = [program, *_with_mode(line)], line.typed
    try:
        job = _Job()
        hydra.main(config_path="pkg://fer_lightning.conf", config_name="config", **VERSION_BASE)(job)()
        if job.mistake is not None:
            raise job.mistake
    except UserError:
        raise
    except (HydraException, OmegaConfBaseException) as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UserError):
                raise cause from None
            cause = cause.__cause__
        raise ConfigError(
            describe_override_error(error, [word for word in line.words if "=" in word])
        ) from error
    finally:
        sys.argv, provenance.typed_arguments = before, None
    return 0
