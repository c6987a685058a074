"""What tests share: an own data cache, no network, few threads."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["WANDB_MODE"] = "offline"

import pytest
import torch

from browser import browser  # noqa: F401  (fixtures of several rooms)
from postgresql_server import server  # noqa: F401
from tiny_words import TINY

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell that starts tests in the background has them ignore Ctrl-C, and so would every process they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.getbasetemp().parent / "faces"
    before = os.environ.get("FER_LIGHTNING_CACHE")
    os.environ["FER_LIGHTNING_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["FER_LIGHTNING_CACHE"]
    else:
        os.environ["FER_LIGHTNING_CACHE"] = before


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real_data") and not os.environ.get("FER2013_PATH"):
        pytest.skip("FER2013_PATH is not set")


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Take back the handlers and the level that Hydra gives the root logger in a run."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True, scope="module")
def _logging_of_the_module() -> Iterator[None]:
    """For the runs of a module's own fixtures, which begin before those of its tests."""
    with logging_as_before():
        yield


@pytest.fixture(autouse=True)
def _logging_of_the_test() -> Iterator[None]:
    with logging_as_before():
        logging.getLogger().setLevel(logging.WARNING)
        yield


@pytest.fixture
def tiny() -> list[str]:
    """Overrides for a run of about a second on drawn faces."""
    return list(TINY)
