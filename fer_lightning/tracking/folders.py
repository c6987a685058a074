"""Keep W&B's files in the run's folder, and W&B quiet, while a run is open."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

# W&B's own places are in the home directory; what is not set here is read, never written.
_PLACES = {"WANDB_DATA_DIR": ".", "WANDB_CACHE_DIR": "cache", "WANDB_ARTIFACT_DIR": "artifacts"}
# W&B tells its maker of errors, and says on the terminal which key it took.
_QUIET = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}


_open: list[WandbFolders] = []
_mine: set[str] = set()


class WandbFolders:
    """Sets the variables by which W&B finds its folders, unless the user has set them, and takes them back.

    Of several runs that are open in one process the one that was opened last has them.

    Parameters
    ----------
    folder
        The run's folder; the files go into its ``wandb/``.
    """

    def __init__(self, folder: Path) -> None:
        self.place = folder.resolve() / "wandb"

    @property
    def variables(self) -> dict[str, str]:
        """What W&B is to know."""
        return {name: str(self.place / part) for name, part in _PLACES.items()} | _QUIET

    def enter(self) -> None:
        """Set the variables."""
        _mine.update(name for name in self.variables if name not in os.environ)
        _open.append(self)
        self.set()

    def set(self) -> None:
        """Set those of the variables that the user has not set."""
        os.environ.update({name: value for name, value in self.variables.items() if name in _mine})

    def leave(self) -> None:
        """Take the variables back and remove what nobody needs; safe to call twice.

        That is empty folders, and W&B's notes for its makers, which name every folder in full: those of a former
        attempt that was killed as well.
        """
        if self not in _open:
            return
        _open.remove(self)
        if _open:
            _open[-1].set()
        else:
            for name in _mine:
                os.environ.pop(name, None)
            _mine.clear()
        for attempt in self.place.glob("*run-*"):
            shutil.rmtree(attempt / "logs", ignore_errors=True)
            _remove_empty(attempt / "tmp")
        for part in ("artifacts", "cache"):
            _remove_empty(self.place / part)


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):
                path.rmdir()
        elif path.name.startswith("core-debug-"):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
