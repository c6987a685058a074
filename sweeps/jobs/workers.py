"""Peer workers: the same command, started several times on this machine, shares one study."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from fer_lightning.signals import raise_if_stopped, shielded
from fer_lightning.sweeps.jobs.environment import THREADS, WORKER
from fer_lightning.sweeps.study.open import StudySpec

log = logging.getLogger(__name__)

_STARTER = "FER_WORKER_STARTER"
_STUDY = "FER_WORKER_STUDY"
_DIRECTORY = "FER_WORKER_DIR"
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.1
# Read by the numerical libraries when they are loaded, so a process that runs already cannot use them.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def starter_lives() -> bool:
    """Whether the process that started this worker is still there; True for a process that is no worker.

    A worker that is alone finishes its trial and claims no other, so that a killed sweep does not run on
    unseen.
    """
    starter = os.environ.get(_STARTER)
    return starter is None or os.getppid() == int(starter)


def given_place() -> tuple[str, Path] | None:
    """The study's name and folder as this worker's starter settled them; None if this is no worker."""
    if WORKER not in os.environ:
        return None
    return os.environ[_STUDY], Path(os.environ[_DIRECTORY])


class Workers:
    """The further processes of a sweep with `workers` > 1, for as long as the first one runs."""

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Workers:
        if WORKER in os.environ:
            return self
        try:
            with shielded():
                for index in range(1, self._spec.options.workers):
                    self._processes.append(self._start(index))
        except BaseException as error:  # a signal that came meanwhile, or no memory for one more
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        threads = str(self._spec.options.threads)
        environment = {
            **os.environ,
            **dict.fromkeys(_THREAD_VARIABLES, threads),
            THREADS: threads,
            WORKER: str(index),
            _STARTER: str(os.getpid()),
            # A name or folder that depends on the time must be the same for all.
            _STUDY: self._spec.name,
            _DIRECTORY: str(self._spec.sweep_dir),
        }
        command = [sys.executable, *sys.orig_argv[1:]]
        path = self._spec.sweep_dir / f"worker_{index}.log"
        log.info("worker %d writes to %s", index, path)
        with path.open("ab") as output:
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own group: the terminal's Ctrl-C reaches the first process, which passes it on once.
                process_group=0,
            )

    def wait(self) -> None:
        """Wait for the workers, and say which of them did not end well."""
        for index, process in enumerate(self._processes, start=1):
            while (status := process.poll()) is None:
                raise_if_stopped()
                time.sleep(_POLL_SECONDS)
            if status != 0:
                log.warning("worker %d ended with status %d: see worker_%d.log", index, status, index)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        alive = [process for process in self._processes if process.poll() is None]
        if not alive:
            return
        with shielded():
            for process in alive:
                process.send_signal(signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            for process in alive:
                try:
                    process.wait(timeout=max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
