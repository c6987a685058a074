"""A job's trial, as JSON in the environment variable `FER_TRIAL` that the launcher sets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fer_lightning.config.threads import available_threads

TRIAL = "FER_TRIAL"
WORKER = "FER_WORKER"
THREADS = "FER_THREADS"


@dataclass(frozen=True)
class Job:
    """One attempt at one trial, as its process sees it.

    It travels as `hydra.job.env_set`, which reaches a job under every launcher, is gone again when the job
    ends, and leaves the job's own configuration as a person would have typed it.
    """

    study: str
    storage: str
    trial_id: int
    number: int
    token: str
    directory: Path
    resume: bool
    heartbeat: int
    max_deaths: int

    def as_variable(self) -> str:
        """Return the value of `FER_TRIAL`: JSON that passes Hydra's overrides and OmegaConf unchanged."""
        text = json.dumps({**asdict(self), "directory": str(self.directory)})
        # Written as JSON's own escapes, so that no path is taken for an interpolation or ends a quotation.
        return text.replace("$", r"\u0024").replace("'", r"\u0027")

    @classmethod
    def current(cls, variables: Mapping[str, str] = os.environ) -> Job | None:
        """The trial that this process is to run; None outside of a sweep."""
        text = variables.get(TRIAL)
        if not text:
            return None
        values = json.loads(text)
        return cls(**{**values, "directory": Path(values["directory"])})


def given_threads() -> int | None:
    """Return the threads that the sweep, or the scheduler that runs this job, has given it; None where neither has."""
    share = os.environ.get(THREADS)
    if share:
        return int(share)
    ray = sys.modules.get("ray")
    if share is not None and ray is not None and ray.is_initialized():
        return max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))
    return available_threads() if "SLURM_CPUS_PER_TASK" in os.environ else None
