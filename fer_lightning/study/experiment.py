"""An experiment: Hydra composes it and runs it once or, in a sweep, many times."""

from __future__ import annotations

import logging
import os
import sys

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.compose import VERSION_BASE, describe_override_error, describe_unreadable
from fer_lightning.config.flags import CommandLine
from fer_lightning.errors import ConfigError, UserError
from fer_lightning.messages import full_disk_error
from fer_lightning.runs import provenance
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
    """What Hydra runs, wherever its launcher takes it: knows the command that was typed.

    It keeps a single run's mistake back from Hydra, which would announce it in two more lines.
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self.mistake: UserError | None = None

    def __call__(self, config: DictConfig) -> float | None:
        provenance.typed = self.command
        try:
            return run_job(config)
        except UserError as error:
            if HydraConfig.get().mode != RunMode.RUN:
                raise
            self.mistake = error
            return None
        except OSError as error:
            full = full_disk_error(error)
            if full is None or HydraConfig.get().mode != RunMode.RUN:
                raise
            self.mistake = full
            return None


def _with_mode(line: CommandLine, *, sweeps: bool) -> list[str]:
    """Return the arguments for Hydra, with the mode that the chosen experiment sets.

    Hydra 1.4 reads `hydra.mode` from the command line and the primary configuration only, and refuses it in an
    included file.
    """
    asked = [*line.flags, *line.words]
    given = line.multirun or any(word.startswith("hydra.mode=") for word in line.words)
    return [*asked, "hydra.mode=MULTIRUN"] if sweeps and not given else asked


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
    sweeps = False
    if line.runs:
        from fer_lightning.study.preflight import preflight

        sweeps = preflight(line)
    before = sys.argv, provenance.typed
    job = _Job(provenance.command_line(line.typed))
    sys.argv, provenance.typed = [sys.argv[0], *_with_mode(line, sweeps=sweeps)], job.command
    try:
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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        if line.runs:  # the configuration has been read
            raise
        raise ConfigError(describe_unreadable(error)) from error
    finally:
        sys.argv, provenance.typed = before
    return 0
