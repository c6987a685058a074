"""The W&B run of a study itself: its tables and its report page, one run however often the study is reported."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from fer_lightning.redact import redact, redact_text
from fer_lightning.tracking.connection import RunConnection
from fer_lightning.tracking.media import Table
from fer_lightning.tracking.mode import Mode
from fer_lightning.tracking.run_metadata import LONGEST_NAME, STUDY, run_tags, safe_id, safe_name
from fer_lightning.tracking.start import sync_command

FOLDER: Final = "report"
"""In the study's folder, beside those of the trials: one `wandb sync` sends them all."""
_DATA_DIR: Final = "WANDB_DATA_DIR"
_CWD: Final = Path("/proc/self/cwd")
_TEMPORARY: Final = "/tmp"  # TMPDIR may lie in the home directory


@dataclass(frozen=True)
class StudyContent:
    """What goes to W&B of a study.

    Attributes
    ----------
    tables
        By key; a cell may be a PIL image.
    files
        By name: the texts of the artifact.
    summary
        Values of the run's summary.
    description
        What the tables and files are, in sentences.
    """

    tables: Mapping[str, Table]
    files: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


class StudyRun(RunConnection):
    """One W&B run for a study, in the group of its trials.

    Its id follows from the study, so a later report goes on with it. A failure of W&B is said in one line and never
    raised.

    Parameters
    ----------
    study_folder
        The study's; W&B writes into its ``report/wandb/``. What was sent in full leaves nothing there, and what is kept
        for ``wandb sync`` is the last report alone.
    study_name, study_id
        Of the study; without an id its name tells it apart.
    project, entity, tags, mode, init_timeout
        As for the trials' runs: see `WandbRun`.
    data
        Of ``record.describe_data``: its name and whether it is synthetic become tags.
    kind
        "ablation" or "search", a tag too.
    config
        Plain values, redacted here.

    Attributes
    ----------
    whole
        Whether W&B took all of the content, to be sent at once or later.
    """

    finish_seconds = 30.0  # once for a study, and a real server takes hundreds of small pictures
    goes_on = "the study's own files have everything"

    def __init__(
        self,
        study_folder: Path,
        study_name: str,
        study_id: str = "",
        *,
        project: str = "fer_lightning",
        entity: str | None = None,
        tags: Sequence[str] = (),
        mode: Mode = "auto",
        init_timeout: float = 5.0,
        data: Mapping[str, Any] | None = None,
        kind: str = "ablation",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        options = {
            "project": safe_name(project),
            "entity": entity,
            "group": safe_name(study_name),
            "job_type": STUDY,
            "tags": run_tags(tags, [kind, "report"], data or {}),
            "name": redact_text(study_name)[:LONGEST_NAME],
            "id": safe_id(study_name, study_id, "study"),
            "resume": "allow",
            "config": redact(dict(config or {})),
        }
        super().__init__(study_folder / FOLDER, mode, options, init_timeout, study_folder, None)
        self.whole = False

    def send(self, make: Callable[[], StudyContent]) -> None:
        """Bring the run up to date and end it; nothing of an earlier report stays on the disk.

        What a server does not take is kept offline.

        Parameters
        ----------
        make
            Returns the content; it is not called where W&B is switched off.
        """
        before = [*self.folder.glob("wandb/*run-*"), *self._staging.glob("*")]
        try:
            if self._start(before) is not None:
                content = make()
                self._attempt(content)
                if "unsent" in self.about:
                    before += [*self.folder.glob("wandb/run-*"), *self._staging.glob("*")]
                    self.mode, self.failed = "offline", False
                    self._attempt(content)
                self._tidy(before)
        finally:
            self.end(exit_code=1)  # where the content could not be made
            for place in (self.folder / "wandb", self.folder):
                if place.is_dir() and not any(place.iterdir()):
                    place.rmdir()

    def _start(self, before: list[Path]) -> Any:
        """Return the run; offline under the same id where a server did not let it begin, so that it stays one run."""
        run = self.experiment
        if run is None or run.id == self.options["id"]:
            return run
        import wandb

        self.end(exit_code=1)
        before += [path for path in self.folder.glob("wandb/*run-*") if path not in before]
        wandb.teardown()  # else W&B's service still holds the run that did not begin
        self.mode, self.failed = "offline", False
        return self.experiment

    def _tidy(self, before: Sequence[Path]) -> None:
        """Remove what an earlier report left and, where all was sent, what this one did."""
        sent = self.about["address"] is not None
        if self.whole:
            for path in [self.folder / "wandb"] if sent else [*before, self.folder / "wandb" / "cache"]:
                _remove(path)

    def _attempt(self, content: StudyContent) -> None:
        """Log all and end the run, to be sent at once or later."""
        run = self.experiment
        if run is not None:
            with self._hidden_place(run.offline):
                self.with_run(lambda run: self._log(run, content))
                self.summarize(content.summary)
                self.whole = not self.failed
                self.end(exit_code=0)

    @property
    def _staging(self) -> Path:
        return self.folder / "wandb" / "artifacts" / "staging"

    def _log(self, run: Any, content: StudyContent) -> None:
        import wandb

        run.notes = redact_text(content.description)
        tables = {
            key: wandb.Table(columns=list(columns), data=[[_cell(value) for value in row] for row in rows])
            for key, (columns, rows) in content.tables.items()
        }
        run.log(tables)
        if not content.files:
            return
        artifact = wandb.Artifact(f"{run.id}-report", type="report", description=run.notes)
        for name, text in content.files.items():
            with artifact.new_file(name, encoding="utf-8") as stream:
                stream.write(text)
        run.log_artifact(artifact)

    @contextmanager
    def _hidden_place(self, offline: bool) -> Iterator[None]:
        """Give W&B a name of its folder that tells nothing: it sends the place of each file beside its content.

        Online that is a link for as long as the files are sent. A log that ``wandb sync`` sends later names them
        relative to the folder in which both this command and ``wandb sync`` are typed.
        """
        if os.environ.get(_DATA_DIR) != str(self.folders.place):  # the user's own
            yield
        elif not offline:
            with tempfile.TemporaryDirectory(
                dir=_TEMPORARY if os.access(_TEMPORARY, os.W_OK) else None
            ) as short:
                link = Path(short) / "wandb"
                link.symlink_to(self.folders.place)
                os.environ[_DATA_DIR] = str(link)
                yield
        else:
            if _CWD.is_dir() and self.folders.place.is_relative_to(Path.cwd()):
                os.environ[_DATA_DIR] = str(_CWD / self.folders.place.relative_to(Path.cwd()))
            yield

    def _define_axes(self, run: Any) -> None:
        """Leave W&B its own axis, the number of the report."""

    @property
    def _sync_command(self) -> str:
        return sync_command(self.folder, self.study_folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _cell(value: Any) -> Any:
    """Return a cell as W&B takes it: a picture, a plain value, or nothing for what is no number."""
    if isinstance(value, Image.Image):
        import wandb

        return wandb.Image(value)
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    return redact_text(plain) if isinstance(plain, str) else plain
