"""Signals: Ctrl-C and SIGTERM stop the program cleanly at any moment, and none is lost.

The handler keeps the signal and raises it as an exception at once, unless a `shielded` region is being run: then it
is raised at the end of the outermost one. Python drops an exception that is raised in a weakref callback or in
`__del__`, and a library may swallow one. So the signal stays kept, and `raise_if_stopped`, asked at safe points, raises
it again until the exception has left the outermost `stoppable` region.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ContextDecorator
from types import FrameType, TracebackType
from typing import Any, Final

log = logging.getLogger(__name__)

# How long a clean-up may take before another signal cuts it short, and how long it waits for a lock.
PATIENCE_SECONDS: Final = 30
_Handler = Callable[[int, FrameType | None], Any] | int | None
# The handlers that `stoppable` replaces; a program that has handlers of its own keeps them.
_DEFAULTS: Final[dict[signal.Signals, _Handler]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


class Terminated(SystemExit):
    """The process was asked to end by SIGTERM; its exit status is 143, as a shell reports it."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class _Process:
    """What the main thread, which alone changes it, knows of signals."""

    def __init__(self) -> None:
        self.regions = 0  # `stoppable` regions that are being run
        self.shields = 0  # `shielded` regions that are being run
        self.came: int | None = None  # the signal that is to end the outermost `stoppable` region
        self.came_at = 0.0
        self.replaced: dict[int, _Handler] = {}  # by `stoppable`
        self.foreign: dict[int, _Handler] = {}  # held off by `shielded`
        self.hook = sys.unraisablehook
        self.held: list[int] = []  # signals that foreign handlers have yet to see


_process = _Process()


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _interruption(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated()


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _process.regions == 0:  # a library has kept the handler and put it back
        raise _interruption(number)
    if _process.came is None:
        _process.came, _process.came_at = number, time.monotonic()
    if _process.shields:
        return
    # What follows the first signal is a clean-up, which a second one must not cut short while it is a brief one.
    if _is_on_its_way() and time.monotonic() - _process.came_at < PATIENCE_SECONDS:
        return
    raise _interruption(_process.came)


def _is_on_its_way() -> bool:
    """Whether the exception of a signal is being handled by the code that runs now."""
    return _interruption_in(sys.exc_info()[1]) is not None


def _interruption_in(error: BaseException | None) -> BaseException | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, (KeyboardInterrupt, Terminated)):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def stop_requested() -> bool:
    """Whether a signal has come that is to end the outermost `stoppable` region."""
    return _process.came is not None


def raise_if_stopped(*, shields: int = 0) -> None:
    """Raise a signal that came and whose exception was held off or swallowed; call it where stopping is safe.

    It does nothing in a clean-up after that exception, in a shielded region, and in threads other than the main one.

    Parameters
    ----------
    shields
        How many of the shielded regions around the call are no obstacle, because nothing was done in them yet.

    Raises
    ------
    KeyboardInterrupt, Terminated
        After SIGINT and SIGTERM.
    """
    if _process.came is None or not _is_main_thread():
        return
    if _process.shields <= shields and not _is_on_its_way():
        raise _interruption(_process.came)


class stoppable(ContextDecorator):  # noqa: N801 (used as a function)
    """Let SIGINT and SIGTERM raise KeyboardInterrupt and `Terminated`; the outermost region loses neither.

    In other threads than the main one, and for a signal that the program handles by itself, it does nothing.
    """

    def __enter__(self) -> stoppable:
        self._counts = _is_main_thread()
        if self._counts:
            _process.shields += 1  # an exception in here would leave the handlers behind
            try:
                if _process.regions == 0:
                    _install()
                _process.regions += 1
            finally:
                _process.shields -= 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._counts:
            return
        _process.shields += 1
        try:
            lost = None if _ends_the_process(error) else _process.came
            _process.regions -= 1
            if _process.regions == 0:
                _uninstall()
        finally:
            _process.shields -= 1
        if lost is not None:
            raise _interruption(lost)


def _ends_the_process(error: BaseException | None) -> bool:
    """Whether what leaves a region tells of the signal that came; another error may have taken its place."""
    if isinstance(error, SystemExit):
        return _process.came is not None and error.code == 128 + _process.came
    return isinstance(error, KeyboardInterrupt) or (error is None and _is_on_its_way())


def _install() -> None:
    for number, default in _DEFAULTS.items():
        handler = signal.getsignal(number)
        if handler is _hold:  # within a shielded region
            handler = _process.foreign[number]
        if handler is default:
            _process.replaced[number] = default
            signal.signal(number, _on_signal)
            _process.foreign.pop(number, None)
    if sys.unraisablehook is not _say_unraisable:
        _process.hook = sys.unraisablehook
        sys.unraisablehook = _say_unraisable


def _say_unraisable(dropped: Any) -> None:
    """Keep it from a person that Python dropped the exception of a signal: it is raised again."""
    if _process.came is not None and issubclass(dropped.exc_type, (KeyboardInterrupt, Terminated)):
        log.debug("Python dropped the exception of a signal; it is raised again")
    else:
        _process.hook(dropped)


def _uninstall() -> None:
    sys.unraisablehook = _process.hook
    while _process.replaced:
        number, handler = _process.replaced.popitem()
        signal.signal(number, handler)
    _process.came = None


class shielded:  # noqa: N801 (used as a function)
    """Hold SIGINT and SIGTERM off writes that must not be cut short; regions nest.

    A signal that came meanwhile is raised at the end of the outermost region. In a clean-up after a first signal, later
    ones are dropped. Handlers of the program's own are held off too.
    """

    def __enter__(self) -> shielded:
        self._counts = _is_main_thread()
        if self._counts:
            _process.shields += 1
            if _process.shields == 1:
                try:
                    _hold_off_foreign_handlers()
                except BaseException:
                    _process.shields -= 1
                    raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._counts:
            return
        try:
            if _process.shields == 1:
                _put_back_foreign_handlers()
        finally:
            _process.shields -= 1
        if _process.shields == 0:
            held, _process.held = _process.held, []
            if held and not _is_on_its_way():
                signal.raise_signal(held[0])
            raise_if_stopped()


def _hold_off_foreign_handlers() -> None:
    for number in _DEFAULTS:
        handler = signal.getsignal(number)
        if handler not in (_on_signal, _hold, signal.SIG_IGN, None):
            _process.foreign[number] = handler
            signal.signal(number, _hold)


def _put_back_foreign_handlers() -> None:
    for number in list(_process.foreign):
        if signal.getsignal(number) is _hold:
            signal.signal(number, _process.foreign[number])
        del _process.foreign[number]


def _hold(number: int, frame: FrameType | None) -> None:
    if _process.shields:
        _process.held.append(number)
    else:  # a foreign handler raised an exception before it was put back
        signal.signal(number, _process.foreign.pop(number))
        signal.raise_signal(number)


def interruption_behind(error: BaseException | None) -> BaseException | None:
    """The Ctrl-C or SIGTERM that an error came from, if any; Ctrl-C works again afterwards.

    Lightning turns Ctrl-C into exit status 1 and ignores it from then on, and SIGTERM into exit status 0. An error that
    follows a signal counts as its consequence.
    """
    came = _process.came
    found = _interruption_in(error) or (None if came is None else _interruption(came))
    if found is not None and _is_main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        if signal.SIGINT in _process.replaced:
            signal.signal(signal.SIGINT, _on_signal)
        elif _process.regions == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    return found
