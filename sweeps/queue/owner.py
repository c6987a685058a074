"""Which process runs a trial, and whether it still lives."""

from __future__ import annotations

import functools
import os
import socket
import uuid
from dataclasses import asdict, dataclass
from typing import Any

import psutil

OWNER = "fer:owner"


@dataclass(frozen=True)
class Owner:
    """A process that holds a trial.

    `started` tells the process from a later one with the same number; `token` is made for each claim and goes
    along to the job, so that a job whose trial was given to somebody else notices it.
    """

    host: str
    pid: int
    started: float
    token: str
    begun: bool = False

    @classmethod
    def this_process(cls, token: str | None = None, begun: bool = False) -> Owner:
        """The owner that this process would be; with a new token unless one is given."""
        pid = os.getpid()
        started = psutil.Process(pid).create_time()
        return cls(host_name(), pid, started, token or uuid.uuid4().hex, begun)

    @classmethod
    def of(cls, system_attrs: dict[str, Any]) -> Owner | None:
        """The owner that a trial's attributes name, if any."""
        stored = system_attrs.get(OWNER)
        return cls(**stored) if stored else None

    def as_attr(self) -> dict[str, Any]:
        """The form in which it is kept with the trial."""
        return asdict(self)

    def is_here(self) -> bool:
        """Whether the process belongs to this host, so that its death can be seen directly."""
        return self.host == host_name()

    def is_this_process(self) -> bool:
        """Whether it is the calling process."""
        return self.is_here() and self.pid == os.getpid()

    def is_alive(self) -> bool:
        """Whether the process, on this host, still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.started) < 2.0
        except psutil.NoSuchProcess:
            return False


@functools.cache
def host_name() -> str:
    """Name this host; two containers count as two, for each sees its own process numbers only."""
    try:
        return f"{socket.gethostname()}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()
