"""Train and validate one model, and leave a folder that says everything about it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers.logger import Logger

from fer_lightning.callbacks.safe_points import SafePoints
from fer_lightning.config.precision import warn_of_precision
from fer_lightning.config.schema import check_config
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.messages import first_line
from fer_lightning.models.counting import count_parameters
from fer_lightning.redact import redact
from fer_lightning.runs.code_fingerprint import code_fingerprint, find_targets
from fer_lightning.runs.files import write_text, yaml_text
from fer_lightning.runs.metrics_csv import MetricsCsv
from fer_lightning.runs.record import RunRecord, describe_data, is_first_process
from fer_lightning.signals import interruption_behind
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.study.identity import FREE_KEYS
from fer_lightning.tracking.logger import WandbRun
from fer_lightning.training.build import build, build_data, build_module
from fer_lightning.training.distillation import fingerprint, read_teachers, soft_targets
from fer_lightning.training.library_warnings import quiet_libraries
from fer_lightning.training.module import ExpressionClassifier
from fer_lightning.training.resume import check_continuation, code_changes, find_checkpoint

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
        found = f"{self.epochs} epochs"
        if best is not None:
            found = (
                f"best {self.record['metric']} {self.value:.4f} in epoch {best['epoch'] + 1} of {self.epochs}"
            )
        kind = ", synthetic faces drawn by a program" if data["synthetic"] else ""
        return (
            f"{found} on {data['name']}{kind}; {self.record['seconds']:.1f} s; kept in {shown(self.folder)}"
        )


def _loggers(
    config: DictConfig, folder: Path, record: dict[str, Any], wandb_options: dict[str, Any]
) -> list[Logger]:
    loggers: list[Logger] = [MetricsCsv(folder)]
    if config.get("logger") and config.logger.get("_target_"):
        options: dict[str, Any] = {"folder": str(folder)}
        if config.logger["_target_"].endswith("WandbRun"):
            given = {"run_config": record["config"], "data": record["data"], "notes": config.note or None}
            options |= given | wandb_options
        loggers.append(build(config.logger, **options))
    return loggers


def _portable(config: DictConfig) -> dict[str, Any]:
    """Return the resolved configuration as plain values, free of secrets and of this run's place."""
    place = config.output_dir
    config.output_dir = "."
    try:
        plain: dict[str, Any] = redact(OmegaConf.to_container(config, resolve=True))
    finally:
        config.output_dir = place
    return plain


def _callbacks(config: DictConfig) -> list[pl.Callback]:
    nodes = dict(config.get("callbacks") or {})
    if config.data.train_on == "train_val":
        # Nothing is validated, so no epoch is the best.
        nodes.pop("best", None)
    return [build(node) for node in nodes.values() if node and node.get("_target_")]


def train(
    config: DictConfig,
    folder: Path,
    *,
    extra_callbacks: list[pl.Callback] | None = None,
    wandb_options: dict[str, Any] | None = None,
) -> RunResult:
    """Train and validate the model that ``config`` describes.

    Parameters
    ----------
    config
        The composed configuration.
    folder
        Where everything about the run is written.
    extra_callbacks
        Callbacks of a study, beside those of the configuration.
    wandb_options
        What a study knows of the W&B run: its group, id and name.

    Raises
    ------
    UserError
        Something in the configuration or the data is not as expected.
    """
    quiet_libraries()
    OmegaConf.update(config, "output_dir", str(folder), force_add=True)
    check_config(config)
    if config.get("threads"):
        torch.set_num_threads(config.threads)
    checkpoint = find_checkpoint(config.resume, folder)
    data = build_data(config)
    stored: dict[str, Any] = {
        "config": _portable(config),
        "class_names": list(data.faces.class_names),
        "image_size": data.image_size,
        "data": describe_data(data),
    }
    stored["code"] = code_fingerprint(name for _, name in find_targets(stored["config"], FREE_KEYS))
    # A study has checked its own code when it was opened; its trials may have begun with what it has accepted since.
    accept = config.changed_code == "accept" or Job.current() is not None
    stored["code_changed"] = code_changes(checkpoint, stored["code"], accept=accept) if checkpoint else []
    teachers = read_teachers(config.loss.teacher)
    stored["teacher"] = fingerprint(teachers)
    targets = (
        soft_targets(data.faces, data.train_indices, teachers, config.loss.teacher_share)
        if teachers
        else None
    )
    module = build_module(config, data, stored, targets)
    done = check_continuation(checkpoint, stored) if checkpoint else 0
    _announce(module, data)

    loggers = _loggers(config, folder, stored, wandb_options or {})
    if isinstance(loggers[0], MetricsCsv):
        loggers[0].restore(done)
    trainer = build(
        config.trainer,
        logger=loggers,
        callbacks=[*_callbacks(config), *(extra_callbacks or []), SafePoints()],
        default_root_dir=str(folder),
    )
    if is_first_process():
        warn_of_precision(str(config.trainer.get("precision") or "32-true"), trainer.strategy.root_device)
    folder.mkdir(parents=True, exist_ok=True)
    if is_first_process():
        write_text(folder / "config.yaml", yaml_text(stored["config"]))
    record = RunRecord(
        folder,
        config,
        stored["data"],
        module.model,
        continued_after=done,
        **{key: stored[key] for key in ("teacher", "code", "code_changed")},
    )
    status, reason = "failed", None
    try:
        _fit(trainer, module, data, checkpoint)
        pruned = [
            after for callback in trainer.callbacks if (after := getattr(callback, "pruned_after", None))
        ]
        status, reason = ("pruned", f"after epoch {pruned[0]}") if pruned else ("complete", None)
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except Exception as error:
        reason = first_line(error)
        raise
    finally:
        record.finish(status, loggers[0].rows if isinstance(loggers[0], MetricsCsv) else {}, reason)
        _close(loggers, record.values, status, reason)
    return RunResult(folder, record.value, trainer.current_epoch, record.values)


def _announce(module: ExpressionClassifier, data: FaceDataModule) -> None:
    """Say what is trained on what, except in a study, whose trials are announced by their number."""
    if Job.current() is None and is_first_process():
        faces = data.faces
        kind = "SYNTHETIC faces, drawn by a program" if faces.synthetic else f"faces of {faces.name}"
        model = f"{type(module.model).__name__}, {count_parameters(module.model).total:,} parameters"
        log.info("%s, on %s %s", model, f"{len(data.train_indices):,}", kind)


def _fit(
    trainer: pl.Trainer, module: ExpressionClassifier, data: pl.LightningDataModule, start: Path | None
) -> None:
    try:
        trainer.fit(module, datamodule=data, ckpt_path=str(start) if start else None, weights_only=True)
    except (Exception, SystemExit) as error:
        stopped = interruption_behind(error)
        if stopped is not None:
            raise stopped from None
        if start and "loading state_dict" in str(error):
            raise ConfigError(f"{start}: its weights do not fit this model") from error
        raise


def _close(loggers: list[Logger], values: dict[str, Any], status: str, reason: str | None) -> None:
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.conclude(status, values, reason)


def shown(folder: Path) -> str:
    """Return a folder as a person would name it: relative to the working directory where it lies within."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def run_folder() -> Path:
    """Return Hydra's output folder of the running job."""
    from hydra.core.hydra_config import HydraConfig

    return Path(HydraConfig.get().runtime.output_dir)
