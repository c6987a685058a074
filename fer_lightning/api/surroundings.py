"""What a call changes in the process that makes it, and gives back when it ends."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig

import fer_lightning
from fer_lightning.config.compose import own_hydra
from fer_lightning.runs import provenance

_VARIABLES = ("HYDRA_FULL_ERROR", "MPLBACKEND", "PYTHONPATH")


@contextmanager
def as_command(words: Sequence[str]) -> Iterator[None]:
    """Let a call stand for the command ``python -m fer_lightning WORDS``.

    Records name that command; further processes of a study are started by it, and not by a program that would begin
    anew, and find the modules that this process finds.
    """
    main = os.path.join(os.path.dirname(fer_lightning.__file__), "__main__.py")
    before = sys.argv, sys.orig_argv, provenance.typed
    sys.argv, sys.orig_argv = [main, *words], [sys.executable, "-m", "fer_lightning", *words]
    provenance.typed = provenance.command_line(words)
    variables = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    try:
        yield
    finally:
        sys.argv, sys.orig_argv, provenance.typed = before
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def hydra_of_its_own() -> Iterator[None]:
    """Let Hydra run its jobs, and leave nothing of it behind: its state, and the handlers it gives the root logger."""
    root, config = logging.getLogger(), HydraConfig.instance().cfg
    handlers, level = list(root.handlers), root.level
    try:
        with own_hydra():
            yield
    finally:
        HydraConfig.instance().cfg = config
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
