"""What runs in one of the processes that train a model together, and its link to the process that started it."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from fer_lightning import messages
from fer_lightning.redact import redact_output
from fer_lightning.runs import provenance
from fer_lightning.signals import shielded, stoppable
from fer_lightning.sweeps.jobs.environment import WORKER
from fer_lightning.training.library_warnings import quiet_libraries


def mask_signals(how: str) -> None:
    """Block or unblock SIGINT and SIGTERM, by ``SIG_BLOCK`` or ``SIG_UNBLOCK``, where the system can."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT, signal.SIGTERM})


class _Link(QueueHandler):
    """To the process that started this one: log records, results, and calls of a trial's session."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(self)  # type: ignore[arg-type]
        self._connection = connection

    def put_nowait(self, record: Any) -> None:
        """Send a log record."""
        self.send("log", record)

    def send(self, kind: str, content: Any) -> None:
        """Send one message, whole."""
        with shielded(), self.lock:  # type: ignore[union-attr]
            self._connection.send((kind, content))

    def ask(self, place: int, name: str, *values: Any, **named: Any) -> Any:
        """Call a method of the session of a callback."""
        self.send("call", (place, name, values, named))
        return self._connection.recv()


class _Session:
    """Stands for the session of the callback at ``place``."""

    def __init__(self, link: _Link, place: int) -> None:
        self._link, self._place = link, place

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._link.ask, self._place, name)


class _IgnoreSigterm(pl.Callback):
    """Lightning's handler of SIGTERM sends a tensor to the other ranks, whatever these are waiting for."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def train_as_rank(
    rank: int,
    connection: Connection,
    work: Callable[..., Any],
    config: DictConfig,
    callbacks: list[Any],
    arguments: Mapping[str, Any],
    command: str,
) -> None:
    """Do ``work`` in this process, and send what becomes of it to the process that started it.

    Parameters
    ----------
    rank
        Of this process; 0 alone logs, and is interrupted by the starter.
    connection
        To the starter.
    work, config, arguments
        What to do, its configuration, resolved, and its keyword arguments.
    callbacks
        For ``work``; each gets a ``session`` whose methods the starter calls.
    command
        The one that was typed, for the record.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What a terminal or a scheduler sends to all is for the one that started them, which interrupts rank 0.
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN if rank else signal.default_int_handler)
    if os.environ.get(WORKER):
        redact_output()
    quiet_libraries()
    link = _Link(connection)
    logging.root.handlers = [logging.NullHandler() if rank else link]
    logging.root.setLevel(logging.INFO)
    provenance.typed = command
    for place, each in enumerate(callbacks):
        each.session = _Session(link, place)
    try:
        with stoppable():
            mask_signals("SIG_UNBLOCK")
            link.send("result", work(config, extra_callbacks=[*callbacks, _IgnoreSigterm()], **arguments))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        link.send("error", _portable(error))
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has the latter only


def _portable(error: Exception) -> Any:
    """Return an error as it can be sent, with its traceback."""
    if messages.disk_is_full(error) and not isinstance(error, OSError):
        error = OSError(errno.ENOSPC, str(error)).with_traceback(error.__traceback__)
    sent = ExceptionWithTraceback(error, error.__traceback__)
    try:
        pickle.loads(pickle.dumps(sent))
    except Exception:
        return RuntimeError(messages.one_line(error))
    return sent
