"""Where a run's numbers come from: versions, machine, code state."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_lightning.redact import redact_assignments, redact_text

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "optuna",
    "torchmetrics",
    "wandb",
    "numpy",
    "fer-lightning",
)


typed: str | None = None
"""The command that was typed, where this process or Hydra was given it in other words."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    # Read from the packages' folders, which takes as long as an epoch of a small study.
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any] | None:
    """Return the commit of the code and whether it was changed since; ``None`` outside a checkout.

    As it was when this was first asked: what a process runs is what it has loaded.
    """
    found = _git_state()
    return None if found is None else dict(found)


@functools.cache
def _git_state() -> dict[str, Any] | None:
    here = Path(__file__).resolve().parent

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def machine() -> dict[str, Any]:
    """Return what the speed of a run depends on."""
    import torch

    described: dict[str, Any] = {
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
    }
    if torch.cuda.is_available():
        described["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return described


@functools.cache
def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def command_line(arguments: Sequence[str] | None = None) -> str:
    """Return the command behind what this process does, redacted, as a person would type it.

    Parameters
    ----------
    arguments
        What was typed after the program's name; by default the command is what was `typed`, or else this process's own.
    """
    if arguments is None and typed is not None:
        return typed
    words = [sys.argv[0], *(sys.argv[1:] if arguments is None else arguments)]
    if words and words[0].endswith("__main__.py"):
        words[:1] = ["python", "-m", "fer_lightning"]
    elif words:
        words[0] = Path(words[0]).name
    # Before the shell's quotes, which may part a secret from its name, and after: the home path is not quoted.
    return redact_text(shlex.join(map(redact_assignments, words)))


def typed_command(arguments: Sequence[str] | None = None) -> str:
    """Return `command_line` as it can be pasted: a script of any program with the interpreter before it."""
    command = command_line(arguments)
    first = shlex.split(command)[0] if command else ""
    return f"python {command}" if first.endswith(".py") else command
