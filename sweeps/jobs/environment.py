"""What a job learns about its trial: a handful of environment variables that the launcher sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "FER_TRIAL_"
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

    def variables(self) -> dict[str, str]:
        """The environment variables that say all this."""
        return {
            "FER_STUDY_NAME": self.study,
            "FER_STUDY_STORAGE": self.storage,
            f"{_PREFIX}ID": str(self.trial_id),
            f"{_PREFIX}NUMBER": str(self.number),
            f"{_PREFIX}TOKEN": self.token,
            f"{_PREFIX}DIR": str(self.directory),
            f"{_PREFIX}RESUME": str(int(self.resume)),
            f"{_PREFIX}HEARTBEAT": str(self.heartbeat),
        }

    @classmethod
    def current(cls, variables: Mapping[str, str] = os.environ) -> Job | None:
        """The trial that this process is to run; None outside of a sweep."""
        if not variables.get(f"{_PREFIX}ID"):
            return None
        return cls(
            study=variables["FER_STUDY_NAME"],
            storage=variables["FER_STUDY_STORAGE"],
            trial_id=int(variables[f"{_PREFIX}ID"]),
            number=int(variables[f"{_PREFIX}NUMBER"]),
            token=variables[f"{_PREFIX}TOKEN"],
            directory=Path(variables[f"{_PREFIX}DIR"]),
            resume=variables[f"{_PREFIX}RESUME"] == "1",
            heartbeat=int(variables[f"{_PREFIX}HEARTBEAT"]),
        )
