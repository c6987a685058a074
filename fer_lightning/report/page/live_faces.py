"""The page of a study's faces while the study runs: made from the runs that have ended, once for each of their sets."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fer_lightning.messages import counted
from fer_lightning.redact import redact
from fer_lightning.report.gallery.shown_faces import STORED
from fer_lightning.report.page.faces_page import SCRIPTS
from fer_lightning.report.page.page_gallery import common_classes, page_gallery
from fer_lightning.report.page.render_page import json_for_html, render_page
from fer_lightning.report.page.run_entries import embedded_sheets, run_entry
from fer_lightning.runs.predictions import LOGITS_FILE

if TYPE_CHECKING:
    from fer_lightning.sweeps.study.results import Trial

_ENDED: Final = ("COMPLETE", "PRUNED", "FAIL")


class LiveFaces:
    """Makes the page of a study's validation faces, and keeps it until another run has ended.

    Nothing is written into the study's folder: the nearest training faces, where no report has stored them yet, are
    looked for once and kept in a folder of this process.

    Parameters
    ----------
    read
        Returns the study's trials as they are now.
    folder
        The study's.
    title
        Of the page.
    back
        Where the page's link leads, relative to the page.
    """

    def __init__(
        self, read: Callable[[], Sequence[Trial]], folder: Path, title: str, back: str | None = None
    ) -> None:
        self.read, self.folder, self.title, self.back = read, folder, title, back
        self._lock = threading.Lock()
        self._own = tempfile.TemporaryDirectory(prefix="fer_lightning_faces_", ignore_cleanup_errors=True)
        self._key: tuple[Any, ...] | None = None
        self._page: bytes | None = None

    def page(self) -> bytes | None:
        """Return the page in UTF-8; None while no run that has ended left predictions."""
        with self._lock:  # several visitors wait for the one page
            trials = self.read()
            ended = [trial for trial in trials if trial.state in _ENDED and not trial.superseded]
            key = tuple(_version(trial) for trial in ended)
            if key != self._key:
                self._page = self._make(ended, len(trials))
                self._key = key
            return self._page

    def _make(self, ended: Sequence[Trial], total: int) -> bytes | None:
        stored, own = self.folder / STORED, Path(self._own.name)
        if stored.is_file() and not (own / STORED).exists():
            with suppress(OSError):
                shutil.copyfile(stored, own / STORED)
        gallery = page_gallery(ended, own)
        if gallery is None:
            return None
        pictures = embedded_sheets(ended)
        model: dict[str, Any] = {
            "kind": "ablation" if any(trial.arm is not None for trial in ended) else "search",
            "columns": [],
            "runs": [{**run_entry(trial, "", pictures), "curves": {}} for trial in ended],
            "classes": common_classes(ended),
            "config": {"common": [], "varying": []},
            "cell_quantile": 0,
        }
        shown = len(gallery.info["runs"])
        text = render_page(
            "faces",
            SCRIPTS,
            gallery,
            data=json_for_html(redact(model)),
            synthetic=any((trial.run.record.get("data") or {}).get("synthetic") for trial in ended),
            title=self.title,
            lines=[
                f"Runs that have ended and left predictions: {shown} of {counted(total, 'trial')}. Reload for more."
            ],
            command=None,
            matrix=False,
            label_parts=[],
            back=self.back,
            pictures={key: json_for_html(picture) for key, picture in pictures.items()},
        )
        return text.encode()


def _version(trial: Trial) -> tuple[Any, ...]:
    """Return what changes when a trial leaves other predictions."""
    written = None
    if trial.run.folder is not None:
        with suppress(OSError):
            about = (trial.run.folder / LOGITS_FILE).stat()
            written = about.st_mtime_ns, about.st_size
    return trial.number, trial.state, written
