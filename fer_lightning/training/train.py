"""Train and validate one model, and leave a folder that says everything about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fer_lightning.config.precision import warn_of_precision
from fer_lightning.config.typed import shown
from fer_lightning.data.label import data_label
from fer_lightning.errors import ConfigError
from fer_lightning.messages import counted, say_once
from fer_lightning.models.counting import count_parameters
from fer_lightning.runs.record import RunRecord, is_first_process, note_failure
from fer_lightning.runs.run import Run
from fer_lightning.signals import interruption_behind, stoppable
from fer_lightning.stats.collapse import class_of_all
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.tracking.logger import WandbRun
from fer_lightning.training.build import build_data
from fer_lightning.training.library_warnings import quiet_libraries
from fer_lightning.training.module import network_of
from fer_lightning.training.own_module import unused_parts
from fer_lightning.training.ranks import RankLostError, Ranks, count_ranks
from fer_lightning.training.rehearsal import few_steps
from fer_lightning.training.run_folder import own_folder
from fer_lightning.training.setup import RunSetup

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """What a finished run found.

    Attributes
    ----------
    folder
        Where it is written.
    value
        The monitored metric of the best epoch; ``None`` when nothing was validated.
    epochs
        Epochs trained, those before an interruption included.
    record
        The content of ``run.json``.
    """

    folder: Path
    value: float | None
    epochs: int
    record: dict[str, Any]

    def in_words(self) -> str:
        """Return one line on what came of the run and where it is kept."""
        best, data = self.record["best"], self.record["data"]
        found = counted(self.epochs, "epoch")
        if best is not None:
            found = (
                f"best {self.record['metric']} {self.value:.4f} in epoch {best['epoch'] + 1} of {self.epochs}"
            )
        label = data_label(data["name"], data["synthetic"])
        predictions = Run(self.folder).predictions
        word = None if predictions is None else class_of_all(predictions)
        found += "" if word is None else f" (collapsed: {word} is predicted for every image)"
        return f"{found} on {label}; {self.record['seconds']:.1f} s; kept in {shown(self.folder)}"


@stoppable()
def train(
    config: DictConfig,
    folder: Path,
    *,
    extra_callbacks: Sequence[pl.Callback] | None = None,
    wandb_options: Mapping[str, Any] | None = None,
) -> RunResult:
    """Train and validate the model that ``config`` describes.

    Parameters
    ----------
    config, folder
        The composed configuration; and where everything about the run is written.
    extra_callbacks, wandb_options
        What a study adds: callbacks, and the group, id and name of the W&B run.

    Raises
    ------
    UserError
        Something in the configuration or the data is not as expected.
    """
    quiet_libraries()
    more: dict[str, Any] = {
        "folder": folder,
        "extra_callbacks": extra_callbacks,
        "wandb_options": wandb_options,
    }
    with own_folder(folder, config.resume):
        count = count_ranks(config)
        if not count:
            return _train(config, **more)
        _ = build_data(config).faces  # once, before all of them look for it
        try:
            with Ranks(count, _train, config, plugins=[LightningEnvironment()], **more) as ranks:
                result: RunResult = ranks.result()
                return result
        except RankLostError as error:
            note_failure(folder, error)
            raise


def _train(config: DictConfig, folder: Path, **options: Any) -> RunResult:
    """Train in this process; the options are those of `RunSetup.from_config`."""
    setup = RunSetup.from_config(config, folder, **options)
    _announce(setup)
    record = setup.start_record()
    status: str = "failed"
    reason: str | BaseException | None = None
    try:
        _open_wandb(setup, record)
        _fit(setup)
        status, reason = _outcome(setup.trainer)
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except Exception as error:
        reason = error
        raise
    finally:
        record.finish(status, setup.metrics.rows, reason)
        _close_wandb(setup, record)
    return RunResult(setup.folder, record.value, setup.trainer.current_epoch, record.values)


def _announce(setup: RunSetup) -> None:
    """Say what is trained on what, except in a study, whose trials are announced by their number."""
    if not is_first_process():
        return
    if Job.current() is None:
        data, net = setup.data, network_of(setup.module)
        faces = data.faces
        label = data_label(faces.name, faces.synthetic)
        count = count_parameters(net)
        model = f"{type(net).__name__}, {count.total:,} parameters"
        if not all(parameter.requires_grad for parameter in net.parameters()):
            model += f" of which {count.trainable:,} are trained"
        log.info("%s, on %s of %s", model, counted(len(data.train_indices), "image"), label)
        if setup.config.resume is True and setup.checkpoint is None:
            log.info("resume=true: this folder holds no checkpoint to go on with; the run begins anew")
    hint = few_steps(setup.config.trainer, setup.data)
    for line in (getattr(setup.module, "initial_weights", ""), unused_parts(setup.config), hint):
        if line:
            say_once(line)
    data = setup.data
    if data.fraction < 1 == data.eval_fraction and data.train_on == "train":
        say_once(
            f"each validation is on all {len(data.val_indices):,} images; data.eval_fraction={data.fraction} takes a "
            "share of them too"
        )
    precision = str(setup.config.trainer.get("precision") or "32-true")
    warn_of_precision(precision, setup.trainer.strategy.root_device)


def _fit(setup: RunSetup) -> None:
    start = setup.checkpoint
    try:
        setup.trainer.fit(
            setup.module,
            datamodule=setup.data,
            ckpt_path=str(start) if start else None,
            weights_only=True,
        )
    except (Exception, SystemExit) as error:
        stopped = interruption_behind(error)
        if stopped is not None:
            raise stopped from None
        if start and "loading state_dict" in str(error):
            raise ConfigError(f"{start}: its weights do not fit this model") from error
        if isinstance(error, MisconfigurationException):
            raise ConfigError(f"trainer: {' '.join(str(error).split())}") from error
        raise


def _outcome(trainer: pl.Trainer) -> tuple[str, str | None]:
    """Return the status of a run whose fit has ended, and why."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        epoch = getattr(callback, "pruned_after", None)
        if epoch:
            return "pruned", f"after epoch {epoch}"
    return "complete", None


def _open_wandb(setup: RunSetup, record: RunRecord) -> None:
    """Start the W&B run, if there is one, and take its id and address down."""
    trainer = setup.trainer
    for logger in setup.loggers:
        if isinstance(logger, WandbRun):
            about = logger.open(
                setup.metrics.rows, lambda epoch: trainer.should_stop or epoch + 1 == trainer.max_epochs
            )
            if about:
                record.update(wandb=about)


def _close_wandb(setup: RunSetup, record: RunRecord) -> None:
    for logger in setup.loggers:
        if isinstance(logger, WandbRun):
            logger.conclude(record.values["status"], record.values, record.values.get("reason"))
            if logger.about:
                record.update(wandb=logger.about)


def run_folder() -> Path:
    """Return Hydra's output folder of the running job."""
    from hydra.core.hydra_config import HydraConfig

    return Path(HydraConfig.get().runtime.output_dir)
