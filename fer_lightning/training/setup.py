"""Everything that a training needs, made once from its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.profilers import PassThroughProfiler

from fer_lightning.config.combinations import check_measured
from fer_lightning.config.schema import check_config
from fer_lightning.config.signatures import find_target
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.models.counting import count_parameters
from fer_lightning.redact import redact_text
from fer_lightning.runs.code_fingerprint import code_fingerprint, find_targets
from fer_lightning.runs.files import require_plain, write_text, yaml_text
from fer_lightning.runs.metrics_csv import MetricsCsv
from fer_lightning.runs.record import (
    UNREADABLE_FILE,
    RunRecord,
    describe_data,
    is_first_process,
    portable_config,
)
from fer_lightning.runs.run import METRICS_FILE, Run
from fer_lightning.sweeps.jobs.environment import Job, given_threads
from fer_lightning.sweeps.study.identity import FREE_KEYS
from fer_lightning.training.build import build, build_data, build_module
from fer_lightning.training.build_loss import build_loss
from fer_lightning.training.contract import TrainedModule
from fer_lightning.training.distillation import fingerprint, read_teachers
from fer_lightning.training.module import ExpressionClassifier, network_of
from fer_lightning.training.own_metrics import own_metrics
from fer_lightning.training.own_module import ModuleKeeper, own_target
from fer_lightning.training.rehearsal import check_shares, rehearse
from fer_lightning.training.resume import check_continuation, code_changes, find_checkpoint
from fer_lightning.training.run_folder import bring_best
from fer_lightning.training.safe_points import SafePoints


@dataclass(frozen=True)
class RunSetup:
    """A run that is ready to be trained; nothing of it is written yet.

    Attributes
    ----------
    folder
        Where everything about the run is written.
    config
        The composed configuration.
    data, module, trainer
        What Lightning trains, and with what.
    stored
        Plain values that every checkpoint holds: the configuration, the classes, what identifies the data, the
        teachers, the initial weights and the code.
    metrics, loggers
        The run's ``metrics.csv``; and all loggers, which include it.
    checkpoint, epochs_done
        From where an interrupted run is resumed, and after how many epochs; ``None`` and 0 for a new one.
    """

    folder: Path
    config: DictConfig
    data: FaceDataModule
    module: TrainedModule
    trainer: pl.Trainer
    stored: dict[str, Any]
    metrics: MetricsCsv
    loggers: list[Logger]
    checkpoint: Path | None
    epochs_done: int

    @classmethod
    def from_config(
        cls,
        config: DictConfig,
        folder: Path,
        *,
        extra_callbacks: Sequence[pl.Callback] | None = None,
        wandb_options: Mapping[str, Any] | None = None,
        **trainer_options: Any,
    ) -> RunSetup:
        """Make the parts of a run; the parameters are those of :func:`~fer_lightning.training.train.train`.

        Raises
        ------
        UserError
            Something in the configuration or the data is not as expected.
        """
        values = check_config(config)
        threads = config.get("threads") or given_threads()
        if threads:
            torch.set_num_threads(threads)
        # Resume: find the checkpoint; refuse if own code has changed since, before any of it is built; refuse if the
        # data, the teachers or a setting that decides the numbers differ (check_continuation); take over the metrics
        # of the epochs behind it. As the fit begins, Lightning restores weights, optimizer, schedule and callbacks;
        # random numbers follow from the seed and the epoch.
        checkpoint = find_checkpoint(config.resume, folder)
        if checkpoint:
            require_plain(checkpoint, "resume")
        data = build_data(config)
        stored = _describe(config, data, checkpoint)
        teachers = read_teachers(config.loss.teacher)
        stored["teacher"] = fingerprint(teachers)
        module = build_module(config, data, stored, build_loss(config.loss, data, teachers))
        check_measured(values, data.faces.class_names)
        check_shares(config.trainer, data)
        rehearse(module, data)
        epochs_done = check_continuation(checkpoint, stored) if checkpoint else 0
        metrics = MetricsCsv(folder)
        if checkpoint:
            metrics.restore(epochs_done, checkpoint.parent.parent / METRICS_FILE)
        loggers = [metrics, *_build_loggers(config, folder, stored, checkpoint, wandb_options or {})]
        trainer = build(
            config.trainer,
            logger=loggers,
            callbacks=[
                *_keeper(config, data),
                *_build_callbacks(config),
                *(extra_callbacks or ()),
                SafePoints(),
            ],
            default_root_dir=str(folder),
            **trainer_options,
        )
        if not isinstance(trainer.profiler, PassThroughProfiler):
            trainer.profiler.dirpath = trainer.profiler.dirpath or str(folder)
            trainer.profiler.filename = trainer.profiler.filename or "profile"
        return cls(folder, config, data, module, trainer, stored, metrics, loggers, checkpoint, epochs_done)

    def start_record(self) -> RunRecord:
        """Write ``config.yaml`` and the first state of ``run.json``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if is_first_process():
            if self.checkpoint:
                bring_best(self.checkpoint, self.folder)
            write_text(self.folder / "config.yaml", yaml_text(self.stored["config"]))
            if self.data.faces.unreadable:
                write_text(
                    self.folder / UNREADABLE_FILE, redact_text("\n".join(self.data.faces.unreadable) + "\n")
                )
        parameters = count_parameters(network_of(self.module))
        return RunRecord(
            self.folder,
            self.config,
            self.stored["data"],
            {"total": parameters.total, "trainable": parameters.trainable},
            continued_after=self.epochs_done,
            **{key: self.stored[key] for key in ("teacher", "weights", "code", "code_changed")},
        )


def _describe(config: DictConfig, data: FaceDataModule, checkpoint: Path | None) -> dict[str, Any]:
    """Return what every checkpoint says of the run, but for its teachers and initial weights."""
    stored: dict[str, Any] = {
        "config": portable_config(config),
        "class_names": list(data.faces.class_names),
        "image_size": data.image_size,
        "channels": data.channels,
        "data": describe_data(data),
    }
    stored["code"] = code_fingerprint(name for _, name in find_targets(stored["config"], FREE_KEYS))
    # A study has checked its own code when it was opened; its trials may have begun with what it has accepted since.
    accept = config.changed_code == "accept" or Job.current() is not None
    stored["code_changed"] = code_changes(checkpoint, stored["code"], accept=accept) if checkpoint else []
    return stored


def _build_loggers(
    config: DictConfig,
    folder: Path,
    stored: dict[str, Any],
    checkpoint: Path | None,
    wandb_options: Mapping[str, Any],
) -> list[Logger]:
    if not config.get("logger") or not config.logger.get("_target_"):
        return []
    options: dict[str, Any] = {"folder": str(folder)}
    if config.logger["_target_"].endswith("WandbRun"):
        given = {"run_config": stored["config"], "data": stored["data"], "notes": config.note or None}
        options |= given | dict(wandb_options)
        # A run that goes on in its own folder is the same one in W&B, also where it left no checkpoint yet.
        if config.resume is True or (checkpoint and checkpoint.resolve().is_relative_to(folder.resolve())):
            options["earlier"] = Run(folder).record.get("wandb")
    return [build(config.logger, **options)]


def _keeper(config: DictConfig, data: FaceDataModule) -> list[pl.Callback]:
    """Return what accompanies a module of somebody else; nothing for the project's own."""
    name = own_target(config)
    target = None if name is None else find_target(name, "module._target_")
    if name is None or (isinstance(target, type) and issubclass(target, ExpressionClassifier)):
        return []
    metrics = own_metrics(config, data.faces.class_names)
    return [ModuleKeeper(name, config.seed, config.metric, metrics)]


def _build_callbacks(config: DictConfig) -> list[pl.Callback]:
    nodes = dict(config.get("callbacks") or {})
    if config.data.train_on == "train_val":
        # Nothing is validated, so no epoch is the best.
        nodes.pop("best", None)
    return [build(node) for node in nodes.values() if node and node.get("_target_")]
