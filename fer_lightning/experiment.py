"""An experiment: Hydra composes it and runs it once or, in a sweep, many times."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.compose import explain
from fer_lightning.errors import ConfigError, UserError


def run_job(config: DictConfig) -> float | None:
    """Train one model in Hydra's output folder and return its monitored metric."""
    from fer_lightning.train import run_folder, train

    return train(config, run_folder()).value


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


def run_experiment(arguments: Sequence[str]) -> int:
    """Give ``arguments`` to Hydra and return the exit status.

    Raises
    ------
    UserError
        Something was not as expected.
    """
    # Hydra would print a traceback and exit by itself; with this it leaves errors to us.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    os.environ.setdefault("MPLBACKEND", "Agg")
    program, before = sys.argv[0], sys.argv
    sys.argv = [program, *arguments]
    try:
        job = _Job()
        hydra.main(config_path="pkg://fer_lightning.conf", config_name="config", version_base="1.3")(job)()
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
        raise ConfigError(explain(error, [word for word in arguments if "=" in word])) from error
    finally:
        sys.argv = before
    return 0
