"""One Weights & Biases run for one training: online where possible, offline otherwise, never in the way."""

from __future__ import annotations

import logging
import os
import socket
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from fer_lightning.errors import ConfigError
from fer_lightning.tracking.redact import redact, redact_text
from fer_lightning.tracking.wandb_media import Picture, Table, as_image, as_wandb

Mode = Literal["auto", "online", "offline", "disabled"]
MODES = ("auto", "online", "offline", "disabled")
log = logging.getLogger(__name__)
_said: set[str] = set()


def _say_once(text: str) -> None:
    """Log ``text`` the first time only: a study of a hundred runs needs to be told once."""
    if text not in _said:
        _said.add(text)
        log.info(text)


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    return netrc.is_file() and host in netrc.read_text(encoding="utf-8", errors="replace")


def _reachable(seconds: float = 5.0) -> bool:
    address = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=seconds):
            return True
    except OSError:
        return False


def choose_mode(asked: Mode) -> Mode:
    """Return ``online`` where a key and a server are there, else ``offline``; what was asked for otherwise."""
    if asked not in MODES:
        raise ConfigError(f"logger.mode={asked}: expected one of {', '.join(MODES)}")
    asked = os.environ.get("WANDB_MODE", asked) if asked == "auto" else asked  # type: ignore[assignment]
    if asked != "auto":
        return asked if asked in MODES else "offline"
    if not _has_key():
        _say_once(
            "Weights & Biases: no key found, so runs are kept offline (wandb login, then wandb sync DIR)"
        )
        return "offline"
    if not _reachable():
        _say_once("Weights & Biases: the server cannot be reached, so runs are kept offline")
        return "offline"
    return "online"


class WandbRun(Logger):
    """A Lightning logger that writes one W&B run.

    Whatever goes wrong in W&B is said once and training goes on: the run's folder holds the same numbers.

    Parameters
    ----------
    folder
        The run's folder; W&B writes into its ``wandb/``.
    project, entity, group, job_type, tags, run_name, run_id, notes
        As in ``wandb.init``; ``group`` is the study.
    mode
        ``auto``, ``online``, ``offline`` or ``disabled``.
    run_config
        Plain values shown as the run's configuration; redacted here.
    init_timeout
        Seconds to wait for a server before going on offline.
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
        init_timeout: float = 10.0,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.project = project
        self.options = {
            "entity": entity,
            "group": group,
            "job_type": job_type,
            "tags": list(tags),
            "name": run_name,
            "id": run_id,
            "notes": redact_text(notes) if notes else None,
            "config": redact(run_config or {}),
        }
        self.mode: Mode = choose_mode(mode)
        self.init_timeout = init_timeout
        self.run: Any = None
        self.failed = self.mode == "disabled"
        self.pending: dict[int, dict[str, float]] = {}
        self.media: dict[str, Any] = {}
        self.last_epoch: int | None = None
        self.exit_code = 0

    @property
    def name(self) -> str:
        """The W&B project."""
        return self.project

    @property
    def version(self) -> str | None:
        """The W&B run's id."""
        return self.run.id if self.run is not None else self.options["id"]

    @property
    def experiment(self) -> Any:
        """The ``wandb.Run``; ``None`` when W&B failed or is disabled."""
        if self.run is None and not self.failed and getattr(rank_zero_only, "rank", 0) in (0, None):
            self.run = self._open()
        return self.run

    def _open(self) -> Any:
        os.environ.setdefault("WANDB_DATA_DIR", str(self.folder / "wandb"))
        import wandb

        modes: tuple[Literal["online", "offline"], ...] = ("online", "offline")
        for mode in modes if self.mode == "online" else modes[1:]:
            settings = wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                init_timeout=self.init_timeout,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                x_transaction_log_flush_interval=1,
            )
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                options = {key: value for key, value in self.options.items() if value}
                return wandb.init(
                    project=self.project,
                    dir=str(self.folder),
                    mode=mode,
                    settings=settings,
                    reinit="create_new",
                    resume="allow" if mode == "online" else None,
                    **options,
                )
            except Exception as error:
                reason = redact_text(f"{type(error).__name__}: {error}".splitlines()[0])
                _say_once(f"Weights & Biases could not start ({mode}): {reason}")
        self.failed = True
        return None

    def _guard(self, action: str, *arguments: Any, **options: Any) -> None:
        """Call a method of the W&B run; a failure is said once and ends logging to W&B only."""
        run = self.experiment
        if run is None or self.failed:
            return
        try:
            getattr(run, action)(*arguments, **options)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.failed = True
        reason = redact_text(f"{type(error).__name__}: {error}".splitlines()[0])
        _say_once(f"Weights & Biases failed ({reason}); training goes on without it")

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is given when the run is opened."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep an epoch's metrics until its training metrics are there, then log them at once."""
        epoch = int(metrics.get("epoch", -1))
        row = self.pending.setdefault(epoch, {})
        row |= dict(metrics)
        if any(key.startswith(("train/", "test/")) for key in metrics):
            self._send(epoch)

    def _send(self, epoch: int) -> None:
        row: dict[str, Any] = dict(self.pending.pop(epoch, {}))
        if row:
            self.last_epoch = epoch
            media, self.media = self.media, {}
            self._guard("log", row | media)

    def log_media(
        self, images: Mapping[str, Picture] | None = None, tables: Mapping[str, Table] | None = None
    ) -> None:
        """Put pictures and tables beside the metrics of the epoch that is about to be logged.

        They go out with that epoch's metrics in one call, or, once training has ended, when the run is closed.
        Safe to call when W&B is disabled or failed, and in a process that is not the first.

        Parameters
        ----------
        images
            By key: PIL images, or arrays ``[H, W]`` or ``[H, W, 3]``, uint8 or floats within [0, 1]. Hand over
            contact sheets rather than single faces, and no matplotlib figure.
        tables
            By key: the columns' names, and rows of plain values; see ``wandb_media.confusion_table``.

        Raises
        ------
        ValueError
            A picture is none of these.
        """
        pictures = {key: as_image(picture) for key, picture in (images or {}).items()}
        if self.experiment is None or self.failed:
            return
        try:
            self.media |= as_wandb(pictures, tables or {})
        except Exception as error:
            self._give_up(error)

    def flush(self) -> None:
        """Send what is still kept: the metrics of an epoch that was not finished, and pictures made after it."""
        for epoch in sorted(self.pending):
            self._send(epoch)
        if self.media:
            media, self.media = self.media, {}
            epochs = {} if self.last_epoch is None else {"epoch": self.last_epoch}
            self._guard("log", epochs | media)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send what callbacks made after the last epoch; Lightning calls it when training ends."""
        self.flush()

    def summarize(self, values: dict[str, Any]) -> None:
        """Set values of the run's summary."""
        run = self.experiment
        if run is not None and not self.failed:
            run.summary.update(redact(values))

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
                _say_once(redact_text(f"Weights & Biases could not finish: {error}".splitlines()[0]))


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
