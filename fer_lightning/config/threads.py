"""How many processor threads this process has."""

from __future__ import annotations

import os


def available_threads() -> int:
    """Return those that SLURM has given to the task, or the processors that the process may run on."""
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if given.isdigit():
        return int(given)
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
