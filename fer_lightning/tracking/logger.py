"""One Weights & Biases run for one training: online where possible, offline otherwise, never in the way."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from fer_lightning.messages import first_line, say_once
from fer_lightning.redact import redact, redact_text
from fer_lightning.tracking.epoch_rows import EpochRows
from fer_lightning.tracking.folders import WandbFolders
from fer_lightning.tracking.media import Picture, Table, as_image, as_wandb
from fer_lightning.tracking.mode import Mode, choose_mode
from fer_lightning.tracking.run_metadata import LONGEST_TAG, run_configuration, run_summary, run_tags
from fer_lightning.tracking.start import start_run


class WandbRun(Logger):
    """A Lightning logger that writes one W&B run.

    A failure of W&B is logged once and training continues: the run's folder holds the same numbers.

    Parameters
    ----------
    folder
        The run's folder; W&B writes into its ``wandb/``.
    project, entity, group, job_type, tags, run_name, run_id, notes
        As in ``wandb.init``; ``group`` is the study.
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
        init_timeout: float = 5.0,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.project = project
        self.folders = WandbFolders(self.folder)
        self.options = {
            "project": project,
            "entity": entity,
            "group": group,
            "job_type": job_type[:LONGEST_TAG] if job_type else None,
            "tags": run_tags(tags, study_tags, data or {}),
            "name": run_name,
            "id": run_id,
            "notes": redact_text(notes) if notes else None,
            "config": run_configuration(run_config, data or {}, study or {}) if run_config else {},
        }
        self.mode: Mode = choose_mode(mode)
        self.init_timeout = init_timeout
        self.run: Any = None
        self.failed = self.mode == "disabled"
        self.rows = EpochRows()

    @property
    def name(self) -> str:
        """The W&B project."""
        return self.project

    @property
    def version(self) -> str | None:
        """The W&B run's id."""
        known: str | None = self.run.id if self.run is not None else self.options["id"]  # type: ignore[assignment]
        return known

    @property
    def experiment(self) -> Any:
        """The ``wandb.Run``; ``None`` when W&B failed or is disabled."""
        if self.run is None and not self.failed and getattr(rank_zero_only, "rank", 0) in (0, None):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folders.enter()
            try:
                self.run = start_run(self.folder, self.mode, self.options, self.init_timeout)
            except Exception as error:
                self._give_up(error)
                self.folders.leave()
        return self.run

    def _with_run(self, action: Callable[[Any], object]) -> None:
        """Do something with the W&B run; a failure is logged once and ends logging to W&B only."""
        run = self.experiment
        if run is None or self.failed:
            return
        try:
            action(run)
        except Exception as error:
            self._give_up(error)

    def _log(self, row: Mapping[str, Any]) -> None:
        self._with_run(lambda run: run.log(row))

    def _give_up(self, error: Exception) -> None:
        self.failed = True
        say_once(f"Weights & Biases failed ({first_line(error)}); training goes on without it")

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is given when the run is opened."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep an epoch's metrics until its training metrics are there, then log them at once."""
        row = self.rows.add(metrics)
        if row:
            self._log(row)

    def log_media(
        self, images: Mapping[str, Picture] | None = None, tables: Mapping[str, Table] | None = None
    ) -> None:
        """Put pictures and tables beside the metrics of the epoch that is about to be logged.

        They go out with that epoch's metrics in one call, or, once training has ended, when the run is closed.
        Safe to call when W&B is disabled or failed, and in a process that is not the first.

        Parameters
        ----------
        images
            By key: PNG files, PIL images, or arrays ``[H, W]`` or ``[H, W, 3]``, uint8 or floats within [0, 1]. Hand
            over contact sheets rather than single faces, and no matplotlib figure.
        tables
            By key: the columns' names, and rows of plain values; see ``wandb_media.confusion_table``.

        Raises
        ------
        ValueError
            A picture is none of these.
        """
        pictures = {key: as_image(picture) for key, picture in (images or {}).items()}
        self._with_run(lambda run: self.rows.media.update(as_wandb(pictures, tables or {}, run)))

    def flush(self) -> None:
        """Send what is still kept: the metrics of an epoch that was not finished, and pictures made after it."""
        for row in self.rows.rest():
            self._log(row)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send what callbacks made after the last epoch; Lightning calls it when training ends."""
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
        self.flush()
        self.summarize(run_summary(state, record, reason))
        if state != "complete":
            self._with_run(lambda run: setattr(run, "tags", (*run.tags, state)))
        self.close(exit_code=0 if state in ("complete", "pruned") else 1)

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Set values of the run's summary."""
        self._with_run(lambda run: run.summary.update(redact(dict(values))))

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """Send what is left and finish the run; safe to call twice."""
        self.flush()
        run, self.run = self.run, None
        self.failed = True
        if run is not None:
            try:
                run.finish(exit_code=exit_code)
            except Exception as error:
                say_once(f"Weights & Biases could not finish: {first_line(error)}")
            self.folders.leave()


def log_media(
    loggers: Iterable[Logger],
    images: Mapping[str, Picture] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> None:
    """Hand pictures and tables to the W&B run among ``trainer.loggers``, if there is one.

    See :meth:`WandbRun.log_media`.
    """
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.log_media(images, tables)
