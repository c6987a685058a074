"""How much later another Hydra program starts because this package is installed.

    python benchmarks/hydra_start.py [--runs 30]

Hydra imports every plugin at a program's start. A program that does nothing is started in turn without and with the
sweeper's plugin, with no other plugin beside it and Python's files of installed packages left aside; the difference of
each pair counts, in processor and in wall time.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import hydra
@hydra.main(version_base="1.3", config_path=None)
def main(config): pass
main()
import sys
assert ("hydra_plugins.fer_lightning_sweeper" in sys.modules) == WITH
assert "torch" not in sys.modules and "optuna" not in sys.modules and "fer_lightning" not in sys.modules
"""
NEEDED = ("hydra", "omegaconf", "antlr4", "yaml", "packaging", "typing_extensions")
PLUGIN = Path(__file__).resolve().parents[1] / "hydra_plugins"


def link_packages(folder: Path) -> None:
    """Put what Hydra needs, and nothing else, into a folder to import from."""
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            source = Path(spec.origin)
            source = source.parent if source.name == "__init__.py" else source
            (folder / source.name).symlink_to(source)


def seconds(program: str, path: str, folder: Path) -> tuple[float, float]:
    """Processor and wall seconds of a program in a process of its own."""
    began = time.perf_counter()
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-S", "-W", "ignore", "-c", program, "hydra.run.dir=."],
        {**os.environ, "PYTHONPATH": path, "PWD": str(folder)},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(process, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare").mkdir()
        (folder / "own").mkdir()
        link_packages(folder / "bare")
        (folder / "own" / "hydra_plugins").symlink_to(PLUGIN)
        os.chdir(folder)
        without = str(folder / "bare")
        both = f"{folder / 'own'}{os.pathsep}{without}"
        pairs = []
        for _ in range(arguments.runs + 1):
            bare = seconds(f"WITH = False\n{PROGRAM}", without, folder)
            pairs.append((bare, seconds(f"WITH = True\n{PROGRAM}", both, folder)))
    print(f"{'ms':12}{'without':>9}{'with':>9}{'later':>9}   quartiles of {arguments.runs} pairs")
    for index, clock in enumerate(("processor", "wall")):
        rows = [(1e3 * bare[index], 1e3 * more[index]) for bare, more in pairs[1:]]
        later = [b - a for a, b in rows]
        low, middle, high = statistics.quantiles(later, n=4)
        medians = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(f"{clock:12}{medians[0]:9.0f}{medians[1]:9.0f}{middle:9.1f}   {low:.1f} to {high:.1f}")


if __name__ == "__main__":
    main()
