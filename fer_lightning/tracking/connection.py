"""The life of one ``wandb.Run``: started when it is first needed, given up when W&B fails, ended once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytorch_lightning.utilities import rank_zero_only

from fer_lightning.config.values import check_value
from fer_lightning.messages import first_line, say_once
from fer_lightning.redact import redact, redact_text
from fer_lightning.tracking.folders import WandbFolders
from fer_lightning.tracking.mode import Mode, choose_mode, remember_trouble
from fer_lightning.tracking.sent import mark_sent
from fer_lightning.tracking.start import finish_run, start_run, sync_command


class RunConnection:
    """Starts and ends a run of W&B; a failure of W&B is logged once and never raised.

    Parameters
    ----------
    folder, study_folder
        The run's folder; and where the processes of a study tell each other that the server is in trouble.
    mode
        ``auto``, ``online``, ``offline`` or ``disabled``.
    options
        Of ``wandb.init``.
    init_timeout
        Seconds that a server, which has just answered, may take to start the run; then it is kept offline.
    earlier
        What `about` said of the run that is continued; ``None`` for a new one.

    Attributes
    ----------
    run
        The ``wandb.Run`` while there is one.
    failed
        Whether nothing more goes to W&B.
    about
        What identifies the run in W&B.
    finish_seconds
        How long its end waits for uploads; None for `start.FINISH_SECONDS`.
    goes_on
        What a message of trouble says of everything else.
    """

    finish_seconds: float | None = None
    goes_on = "training goes on without it"

    def __init__(
        self,
        folder: Path,
        mode: Mode,
        options: Mapping[str, Any],
        init_timeout: float,
        study_folder: Path | None,
        earlier: Mapping[str, Any] | None,
    ) -> None:
        check_value(mode, Mode, "logger.mode")
        self.folder, self.study_folder, self.folders = folder, study_folder, WandbFolders(folder)
        self.mode: Mode = mode
        self.options, self.init_timeout = dict(options), init_timeout
        self.run: Any = None
        self.failed = mode == "disabled"
        self.about: dict[str, Any] = dict(earlier or {})

    @property
    def experiment(self) -> Any:
        """The ``wandb.Run``; ``None`` when W&B failed or is disabled."""
        if self.run is None and not self.failed and getattr(rank_zero_only, "rank", 0) in (0, None):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folders.enter()
            try:
                mode = choose_mode(self.mode, self._sync_command, self.study_folder)
                if mode != "disabled":
                    self.run = start_run(
                        self.folder,
                        mode,
                        self.options,
                        self.init_timeout,
                        self.study_folder,
                        self.finish_seconds,
                    )
                    self._describe(self.run)
            except Exception as error:
                self._give_up(error)
            if self.run is None:
                self.failed = True
                self.folders.leave()
        return self.run

    @property
    def _sync_command(self) -> str:
        return sync_command(self.folder, self.study_folder)

    def _describe(self, run: Any) -> None:
        """Take down the run's id and address, say the latter, and settle the axes of W&B's charts."""
        self.about.pop("unsent", None)
        self.about |= {"id": run.id, "address": None if run.offline else run.url}
        if not run.offline:
            group = f"{run.project_url}/groups/{quote(run.group, safe='')}" if run.group else run.url
            say_once(f"Weights & Biases: {redact_text(group)}")
        self._define_axes(run)

    def _define_axes(self, run: Any) -> None:
        """Draw everything over the epoch."""
        run.define_metric("epoch")
        run.define_metric("*", step_metric="epoch")

    def with_run(self, action: Callable[[Any], object]) -> None:
        """Do something with the W&B run; a failure is logged once and ends logging to W&B only."""
        run = self.experiment
        if run is None or self.failed:
            return
        try:
            action(run)
        except Exception as error:
            self._give_up(error)

    def log_row(self, row: Mapping[str, Any]) -> None:
        """Send a row of values to W&B."""
        self.with_run(lambda run: run.log(row))

    def _give_up(self, error: Exception) -> None:
        self.failed = True
        say_once(f"Weights & Biases failed ({first_line(error)}); {self.goes_on}")

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Set values of the run's summary."""
        self.with_run(lambda run: run.summary.update(redact(dict(values))))

    def end(self, exit_code: int) -> None:
        """Finish the run and say what was not sent; nothing where there is none."""
        run, self.run = self.run, None
        self.failed = True
        if run is not None:
            try:
                reason, server_fails = finish_run(run, exit_code)
                if reason is None and not run.offline:
                    mark_sent(Path(run.settings.sync_file))
                elif reason is not None:
                    self.about["unsent"] = reason
                    say_once(f"Weights & Biases: {reason}; all is kept, to send it: {self._sync_command}")
                    if server_fails:
                        remember_trouble(reason, self.study_folder)
            except Exception as error:
                say_once(f"Weights & Biases could not finish: {first_line(error)}")
            self.folders.leave()
