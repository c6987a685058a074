"""Several processes that train one model: started, served and ended by the process of the run or trial.

That process itself trains nothing: whatever becomes of the others, it is there to end them and to say why. They are
given the composed configuration and know nothing of Hydra or a sweep, so it is the same for a run, a multirun and a
study under every launcher.
"""

from __future__ import annotations

import copy
import errno
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from logging.handlers import QueueHandler
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Any, Final

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from fer_lightning import messages
from fer_lightning.config.threads import available_threads
from fer_lightning.errors import ConfigError, ProcessLostError
from fer_lightning.redact import redact_output
from fer_lightning.runs import provenance
from fer_lightning.signals import PATIENCE_SECONDS, shielded, stoppable
from fer_lightning.sweeps.jobs.environment import WORKER, given_threads
from fer_lightning.training.build import build
from fer_lightning.training.library_warnings import quiet_libraries

_HANGING_SECONDS: Final = 5  # how long the others may wait for one that is gone
_LAST_WORDS_SECONDS: Final = 2


class RankLostError(ProcessLostError):
    """One of the processes that train together has ended by itself."""


def check_strategy(config: DictConfig) -> None:
    """Raise ConfigError unless each process has the whole model and is started as those of ``ddp`` are."""
    strategy = config.trainer.get("strategy") or "auto"
    name = strategy if isinstance(strategy, str) else str(strategy.get("_target_"))
    ways = ("spawn", "fork", "notebook")
    started = "popen" if isinstance(strategy, str) else strategy.get("start_method", "popen")
    if name != "auto" and ("ddp" not in name.lower() or any(way in name + started for way in ways)):
        raise ConfigError(
            f"trainer.strategy={strategy}: expected auto, ddp or ddp_find_unused_parameters_true"
        )


def count_ranks(config: DictConfig) -> int:
    """Return in how many processes a run is to be trained; 0 if in this one, which may be one of several already.

    Raises
    ------
    ConfigError
        It cannot be trained so.
    """
    if (config.trainer.get("strategy") or "auto") == "auto" and config.trainer.get("devices") in (1, "1"):
        return 0
    from pytorch_lightning.strategies import ParallelStrategy

    trainer = build(config.trainer, logger=False, enable_checkpointing=False)
    if not isinstance(trainer.strategy, ParallelStrategy):
        return 0
    check_strategy(config)
    environment = trainer.strategy.cluster_environment
    assert environment is not None
    if environment.creates_processes_externally and environment.world_size() > 1:
        return 0
    if trainer.num_nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={trainer.num_nodes}: expected 1, or a run that torchrun or srun starts"
        )
    return int(trainer.num_devices)


class Ranks:
    """The processes that train one model together, for as long as the context lasts.

    Parameters
    ----------
    count
        How many.
    work
        What each of them does, an importable function of ``config`` and keyword arguments.
    config
        Is resolved here: Hydra's resolvers mean nothing in another process.
    extra_callbacks
        A keyword argument of `work`. Where a callback has a ``session``, its methods are called in this process.
    arguments
        The other keyword arguments.
    """

    def __init__(
        self,
        count: int,
        work: Callable[..., Any],
        config: DictConfig,
        *,
        extra_callbacks: Any = None,
        **arguments: Any,
    ) -> None:
        resolved: Any = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
        threads = resolved.get("threads") or max(1, (given_threads() or available_threads()) // count)
        resolved.threads = threads
        self._count, self._threads = count, threads
        callbacks = [copy.copy(each) for each in extra_callbacks or ()]
        self._sessions = {place: vars(each).pop("session", None) for place, each in enumerate(callbacks)}
        self._job = (work, resolved, callbacks, arguments, provenance.typed_arguments)
        self._processes: list[Any] = []
        self._links: dict[Any, int] = {}
        self._results: dict[int, Any] = {}
        self._errors: dict[int, Exception] = {}
        # Nobody else is given the port while it is bound, and rank 0 can listen because this socket does not.
        self._port = socket.socket()

    def __enter__(self) -> Ranks:
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        try:
            with shielded():
                for rank in range(self._count):
                    self._start(rank)
        except BaseException as error:  # a signal that came meanwhile, or no memory for one more
            self.__exit__(type(error), error)
            raise
        return self

    def _start(self, rank: int) -> None:
        here, there = multiprocessing.Pipe()
        if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
            multiprocessing.set_start_method(
                "spawn", force=True
            )  # joblib's own, which a new Python does not know
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_train_as_rank, args=(rank, there, *self._job), daemon=True)
        variables = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self._port.getsockname()[1]),
            "NODE_RANK": "0",
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "OMP_NUM_THREADS": str(self._threads),
        }
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        resource_tracker.ensure_running()  # which unblocks the signals
        _mask("SIG_BLOCK")  # until the new process is ready for them
        try:
            process.start()
        finally:
            _mask("SIG_UNBLOCK")
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            there.close()
        self._processes.append(process)
        self._links[here] = rank

    def result(self) -> Any:
        """Wait for all of them, serving the first; return what `work` returned in it.

        Raises
        ------
        Exception
            What `work` raised in the process that failed first; `RankLostError` where one ended without a word.
        """
        while self._links and not self._errors:
            self._serve(None)
        # One that fails takes the others along: which of them was the cause is known when all have told theirs.
        self._serve_until(time.monotonic() + _LAST_WORDS_SECONDS, lambda: bool(self._links))
        if self._errors:
            raise min(self._errors.values(), key=_remoteness)
        return self._results[0]

    def _serve_until(self, deadline: float, needed: Callable[[], bool]) -> None:
        while needed() and (left := deadline - time.monotonic()) > 0:
            self._serve(left)

    def _serve(self, timeout: float | None) -> None:
        link: Any
        for link in wait(list(self._links), timeout):
            rank = self._links[link]
            try:
                kind, content = link.recv()
            except (EOFError, OSError):
                self._bury(self._links.pop(link))
                continue
            if kind == "call":
                place, name, values, named = content
                session = self._sessions.get(place)
                link.send(None if session is None else getattr(session, name)(*values, **named))
            elif kind == "log":
                _log_here(content)
            elif kind == "error":
                self._errors[rank] = content
            else:
                self._results[rank] = content

    def _bury(self, rank: int) -> None:
        process = self._processes[rank]
        process.join()
        if rank not in self._errors and rank not in self._results:
            status = process.exitcode
            number = -status if status < 0 else status - 128  # as it ends a process, or as a shell reports it
            name = signal.Signals(number).name if number in set(signal.Signals) else f"status {status}"
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            self._errors[rank] = RankLostError(
                f"process {rank + 1} of the {self._count} that train together ended with {name}{hint}"
            )

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any = None) -> None:
        with shielded():
            self._sessions = {}  # nothing more is asked of them
            if 0 in self._links.values():
                os.kill(self._processes[0].pid, signal.SIGINT)
                patience = PATIENCE_SECONDS if len(self._links) == self._count else _HANGING_SECONDS
                self._serve_until(time.monotonic() + patience, lambda: 0 in self._links.values())
            for process in self._processes:
                process.kill()
                process.join()
            for link in self._links:
                link.close()
            self._port.close()


def _mask(how: str) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT, signal.SIGTERM})


def _remoteness(error: Exception) -> int:
    """How far an error is from the cause: a process that is gone, an error of its own, or the loss of another one."""
    from torch.distributed import DistError

    if isinstance(error, RankLostError):
        return 0
    return 2 if isinstance(error, DistError) or "gloo" in str(error) else 1


def _log_here(record: logging.LogRecord) -> None:
    if record.name == messages.__name__:
        messages.say_once(record.getMessage())
    else:
        logging.getLogger(record.name).handle(record)


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


def _train_as_rank(
    rank: int,
    connection: Connection,
    work: Callable[..., Any],
    config: DictConfig,
    callbacks: list[Any],
    arguments: Mapping[str, Any],
    typed_arguments: list[str] | None,
) -> None:
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
    provenance.typed_arguments = typed_arguments
    for place, each in enumerate(callbacks):
        each.session = _Session(link, place)
    try:
        with stoppable():
            _mask("SIG_UNBLOCK")
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
