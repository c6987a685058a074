"""Signals: SIGTERM stops as cleanly as Ctrl-C, and neither cuts a clean-up short."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(SystemExit):
    """The process was asked to end by SIGTERM; its exit status is 143, as a shell reports it."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into `Terminated` in the main thread, unless the program has a handler of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def shielded(*, deliver: bool = False) -> Iterator[None]:
    """Hold SIGINT and SIGTERM off a few writes that must not be cut short.

    Parameters
    ----------
    deliver
        Whether a signal that came meanwhile takes effect afterwards. A clean-up after a first signal drops
        later ones.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    previous = {number: signal.signal(number, lambda signum, _: came.append(signum)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if deliver and came:
        signal.raise_signal(came[0])


def interruption_behind(error: BaseException | None) -> BaseException | None:
    """The Ctrl-C or SIGTERM that an error came from, if any; Ctrl-C works again afterwards.

    Lightning turns Ctrl-C into exit status 1 and ignores it from then on. A signal that falls into the writing of a
    checkpoint comes out of torch as a RuntimeError about the file's length.
    """
    while error is not None and not isinstance(error, (KeyboardInterrupt, Terminated)):
        error = error.__cause__ or error.__context__
    if error is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return error
