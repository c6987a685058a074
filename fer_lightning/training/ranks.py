"""Several processes that train one model: started, served and ended by the process of the run or trial.

That process itself trains nothing: whatever becomes of the others, it is there to end them and to say why. They are
given the composed configuration and know nothing of Hydra or a sweep, so it is the same for a run, a multirun and a
study under every launcher.
"""

from __future__ import annotations

import copy
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from fer_lightning import messages
from fer_lightning.config.threads import available_threads
from fer_lightning.errors import ConfigError, ProcessLostError
from fer_lightning.runs import provenance
from fer_lightning.signals import PATIENCE_SECONDS, shielded
from fer_lightning.sweeps.jobs.environment import given_threads
from fer_lightning.training.build import build
from fer_lightning.training.rank_process import mask_signals, train_as_rank

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
        self._job = (work, resolved, callbacks, arguments, provenance.command_line())
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
        process = context.Process(target=train_as_rank, args=(rank, there, *self._job), daemon=True)
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
        mask_signals("SIG_BLOCK")  # until the new process is ready for them
        try:
            process.start()
        finally:
            mask_signals("SIG_UNBLOCK")
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
