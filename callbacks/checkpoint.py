"""The best or the last checkpoint of a run, in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from fer_lightning.config.values import Direction
from fer_lightning.runs.best_epoch import BestEpoch
from fer_lightning.signals import shielded

_PATHS = ("best_model_path", "last_model_path", "kth_best_model_path")


class RunCheckpoint(ModelCheckpoint):
    """Keeps one checkpoint in ``checkpoints/``, written when an epoch ends: the best, or the last.

    Lightning's own ``save_last`` writes the last epoch only when that is also a best one. A checkpoint holds no
    absolute path, so a run's folder can be moved and resumed elsewhere.

    Parameters
    ----------
    folder
        The run's folder; ``None`` takes the trainer's ``default_root_dir``.
    name
        Of the file, without ``.ckpt``.
    monitor, mode
        Keep the epoch with the ``max`` or ``min`` of this metric; ``None`` keeps the last epoch.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        name: str = "last",
        monitor: str | None = None,
        mode: Direction = "max",
    ) -> None:
        super().__init__(
            dirpath=None if folder is None else Path(folder) / "checkpoints",
            filename=name,
            monitor=monitor,
            mode=mode,
            save_top_k=1,
            auto_insert_metric_name=False,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the run's folder from the trainer, unless one was given."""
        self.dirpath = self.dirpath or str(Path(trainer.default_root_dir) / "checkpoints")
        super().setup(trainer, pl_module, stage)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch, unless what decides has never been measured, as before the first validation."""
        if self.monitor is None or self.monitor in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Say whether an epoch is the best so far, by the rule that all of a run's files follow."""
        if self.monitor is None or current is None:
            return False
        return bool(trainer.strategy.reduce_boolean_decision(self.improved({self.monitor: current})))

    def improved(self, metrics: Mapping[str, Any]) -> bool:
        """Say whether an epoch with these metrics is better than the one that is kept; never without a monitor."""
        if self.monitor is None:
            return False
        best = BestEpoch(self.monitor, self.mode)  # type: ignore[arg-type]
        best.improved({self.monitor: self.best_model_score})
        return best.improved(metrics)

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        """Write the checkpoint whole or not at all, and let no signal cut it short.

        Lightning moves it from the folder for temporary files, which copies it where that is on another file system: a
        kill or a full disk would leave half of it in place of the one before. The last one of an epoch that is the best
        so far is a copy of the best one.
        """
        with shielded():
            self._write(trainer, filepath)

    def _write(self, trainer: pl.Trainer, filepath: str) -> None:
        same = None if self.monitor else _written_just_now(trainer)
        # One name for all, so that what a killed process left half written is written over.
        partial = Path(filepath).with_name(f".{Path(filepath).name}.part")
        try:
            if same is None:
                trainer.save_checkpoint(partial, self.save_weights_only)
            else:
                shutil.copyfile(same, partial)
            if trainer.is_global_zero:
                partial.replace(filepath)
        finally:
            if trainer.is_global_zero:
                partial.unlink(missing_ok=True)
        self._last_global_step_saved, self._last_checkpoint_saved = trainer.global_step, filepath
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.after_save_checkpoint(self)

    def state_dict(self) -> dict[str, Any]:
        """Return Lightning's state with paths as names within the folder."""
        state = super().state_dict()
        state["dirpath"] = ""
        for key in _PATHS:
            state[key] = Path(state[key]).name if state[key] else ""
        state["best_k_models"] = {Path(path).name: value for path, value in state["best_k_models"].items()}
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of the interrupted run, with paths in this run's folder."""
        folder = Path(str(self.dirpath))
        state = dict(state_dict, dirpath=str(self.dirpath))
        for key in _PATHS:
            state[key] = str(folder / state[key]) if state[key] else ""
        state["best_k_models"] = {str(folder / name): value for name, value in state["best_k_models"].items()}
        super().load_state_dict(state)


def _written_just_now(trainer: pl.Trainer) -> Path | None:
    """Return the best checkpoint if this very step wrote it, in the one process that trains.

    It has all that the last one would have but that callback's own state, which says only what its file is called.
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, RunCheckpoint) and callback.monitor and trainer.world_size == 1:
            path = Path(callback._last_checkpoint_saved)
            if callback._last_global_step_saved == trainer.global_step > 0 and path.is_file():
                return path
    return None
