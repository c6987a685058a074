"""One Weights & Biases run for one training: online where possible, offline otherwise, never in the way."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from fer_lightning.redact import redact_text
from fer_lightning.tracking.connection import RunConnection
from fer_lightning.tracking.epoch_rows import EpochRows
from fer_lightning.tracking.media import Picture, Table, as_image, as_pil, as_wandb
from fer_lightning.tracking.mode import Mode
from fer_lightning.tracking.run_metadata import (
    LONGEST_NAME,
    LONGEST_TAG,
    run_configuration,
    run_summary,
    run_tags,
    safe_id,
    safe_name,
)
from fer_lightning.tracking.sent import last_known_epoch


class WandbRun(RunConnection, Logger):
    """A Lightning logger that writes one W&B run.

    A failure of W&B is logged once and training continues: the run's folder holds the same numbers.

    Parameters
    ----------
    folder
        The run's folder; W&B writes into its ``wandb/``.
    project, entity, group, job_type, tags, run_name, run_id, notes
        As in ``wandb.init``, without what W&B refuses; ``group`` is the study.
    mode
        ``auto``, ``online``, ``offline`` or ``disabled``.
    run_config
        The run's configuration as plain values, redacted here: the factors at the top level, all of it under
        ``settings``.
    data
        Of ``record.describe_data``: its name and whether it is synthetic become tags.
    study, study_tags
        What a study says of its trial: arm, number, and parameters by name, for the configuration's top level; and
        tags beside the user's own.
    study_folder
        Where the processes of a study tell each other that the server is in trouble.
    earlier
        What `about` said of the run that is continued; ``None`` for a new one.
    init_timeout
        Seconds that a server, which has just answered, may take to start the run; then it is kept offline.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        project: str = "fer_lightning",
        entity: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: Sequence[str] = (),
        run_name: str | None = None,
        run_id: str | None = None,
        notes: str | None = None,
        mode: Mode = "auto",
        run_config: dict[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        study: Mapping[str, Any] | None = None,
        study_tags: Sequence[str] = (),
        study_folder: Path | None = None,
        earlier: Mapping[str, Any] | None = None,
        init_timeout: float = 5.0,
    ) -> None:
        Logger.__init__(self)
        self.project = safe_name(project)
        options = {
            "project": self.project,
            "entity": entity,
            "group": safe_name(group) if group else None,
            "job_type": redact_text(job_type)[:LONGEST_TAG] if job_type else None,
            "tags": run_tags(tags, study_tags, data or {}),
            "name": redact_text(run_name)[:LONGEST_NAME] if run_name else None,
            "id": earlier["id"] if earlier else safe_id(run_id or "", length=LONGEST_NAME),
            "resume": "allow" if earlier else None,
            "notes": redact_text(notes) if notes else None,
            "config": run_configuration(run_config, data or {}, study or {}) if run_config else {},
        }
        RunConnection.__init__(self, Path(folder), mode, options, init_timeout, study_folder, earlier)
        self.rows = EpochRows()
        self.is_last: Callable[[int], bool] = lambda epoch: False

    @property
    def name(self) -> str:
        """The W&B project."""
        return self.project

    @property
    def version(self) -> str | None:
        """The W&B run's id."""
        known: str | None = self.run.id if self.run is not None else self.options["id"]
        return known

    def open(self, past: Mapping[int, Mapping[str, float]], is_last: Callable[[int], bool]) -> dict[str, Any]:
        """Start the run and log the epochs of a continued one that W&B lacks.

        Parameters
        ----------
        past
            Metrics by epoch, from 0, of the epochs before an interruption.
        is_last
            Says whether an epoch that is being logged is the last one: its row waits for the pictures of the end.

        Returns
        -------
        What identifies the run in W&B: its ``id`` and its ``address`` (``None`` offline); empty without W&B.
        """
        self.is_last = is_last
        if self.experiment is not None:
            self.with_run(lambda run: self._catch_up(run, past))
        return self.about

    def _catch_up(self, run: Any, past: Mapping[int, Mapping[str, float]]) -> None:
        self.rows.known = last_known_epoch(run, self.folder, self.about.get("picture_rows", 0))
        for epoch, row in sorted(past.items()):
            if epoch > self.rows.known:
                run.log({key: value for key, value in row.items() if key != "step"})
        self.rows.known = max(self.rows.known, *past, -1)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is given when the run is opened."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep an epoch's metrics until its training metrics are there, then log them at once.

        The last epoch's wait until training has ended, for the pictures that are made then.
        """
        epoch = self.rows.add(metrics)
        if epoch is not None:
            for ready in sorted(self.rows.complete):
                if ready < epoch or not self.is_last(epoch):
                    self.log_row(self.rows.take(ready))

    def log_media(
        self,
        images: Mapping[str, Picture] | None = None,
        tables: Mapping[str, Table] | None = None,
        epoch: int | None = None,
    ) -> None:
        """Put pictures and tables beside the metrics of their epoch.

        They go out with that epoch's metrics in one call; W&B takes nothing for an earlier step, so those of an epoch
        that was logged before are a row of their own that names it. What an epoch has already is not sent again. Safe
        to call when W&B is disabled or failed, and in a process that is not the first.

        Parameters
        ----------
        images
            By key: PNG files, PIL images, or arrays ``[H, W]`` or ``[H, W, 3]``, uint8 or floats within [0, 1]. Hand
            over contact sheets rather than single faces, and no matplotlib figure.
        tables
            By key: the columns' names, and rows of plain values; see ``media.confusion_table``.
        epoch
            From 0; ``None`` is the last one that has metrics.

        Raises
        ------
        ValueError
            A picture is none of these.
        """
        number = self.rows.last if epoch is None else epoch
        pictures = {
            key: as_image(each) for key, each in (images or {}).items() if self.rows.lacks(number, key)
        }
        lacking = {key: table for key, table in (tables or {}).items() if self.rows.lacks(number, key)}
        if pictures or lacking:
            self.with_run(lambda run: self.rows.add_media(as_wandb(pictures, lacking, run), number))

    def flush(self) -> None:
        """Send what is still kept: metrics of the last epoch, or of one that was not finished, and pictures."""
        for row in self.rows.rest():
            if all(key == "epoch" or not isinstance(value, (int, float)) for key, value in row.items()):
                self.about["picture_rows"] = self.about.get("picture_rows", 0) + 1
            self.log_row(row)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send what callbacks made after the last epoch; Lightning calls it when training ends."""
        if status == "success":
            self.flush()

    def conclude(self, state: str, record: Mapping[str, Any], reason: str | None = None) -> None:
        """Write the run's summary and finish it.

        Parameters
        ----------
        state
            ``complete``, ``pruned``, ``failed`` or ``interrupted``; all but the first become a tag as well.
        record
            The content of ``run.json``: best metrics, parameters, seconds and epochs are taken from it.
        reason
            Why the run was pruned or failed, in one line.
        """
        if state in ("interrupted", "failed"):
            self.rows.drop_unfinished()
        self.flush()
        newest = max(self.rows.newest, self.rows.known)
        # Pictures of an earlier epoch may be in the last row, and the summary has the last value of each key.
        self.summarize(run_summary(state, record, reason) | ({"epoch": newest} if newest >= 0 else {}))
        if state != "complete":
            self.with_run(lambda run: setattr(run, "tags", (*run.tags, state)))
        self.close(exit_code=0 if state in ("complete", "pruned") else 1)

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """Send what is left and finish the run; safe to call twice."""
        self.flush()
        self.end(exit_code)


def sends_rows_at_once(logger: Logger) -> bool:
    """Return whether a logger takes an epoch's pictures with its metrics only: W&B online, which shows them at once."""
    return (
        isinstance(logger, WandbRun)
        and logger.run is not None
        and not logger.failed
        and not logger.run.offline
    )


def log_media(
    loggers: Iterable[Logger],
    images: Mapping[str, Picture] | None = None,
    tables: Mapping[str, Table] | None = None,
    epoch: int | None = None,
) -> None:
    """Hand pictures and tables to those among ``trainer.loggers`` that take them.

    These are our own W&B run (see :meth:`WandbRun.log_media`), Lightning's ``WandbLogger``, and loggers whose
    ``experiment`` has TensorBoard's ``add_image``. Others, such as the CSV logger, have the files in their folder.
    """
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.log_media(images, tables, epoch)
        elif hasattr(logger, "log_image") and hasattr(logger, "log_table"):
            for key, picture in (images or {}).items():
                logger.log_image(key=key, images=[as_pil(picture)])
            for key, (columns, rows) in (tables or {}).items():
                logger.log_table(key=key, columns=list(columns), data=[list(row) for row in rows])
        elif hasattr(getattr(logger, "experiment", None), "add_image"):
            for key, picture in (images or {}).items():
                array = np.asarray(as_pil(picture).convert("RGB"))
                logger.experiment.add_image(key, array, epoch, dataformats="HWC")  # type: ignore[attr-defined]
            for key, (columns, rows) in (tables or {}).items():
                lines = [columns, ["---"] * len(columns), *rows]
                text = "\n".join("|" + "|".join(map(str, line)) + "|" for line in lines)
                logger.experiment.add_text(key, text, epoch)  # type: ignore[attr-defined]
