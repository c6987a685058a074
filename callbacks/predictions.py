"""Keep the validation logits of the best epoch beside its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl

from fer_lightning.config.values import Direction
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.runs.best_epoch import BestEpoch
from fer_lightning.runs.predictions import LOGITS_FILE, Predictions, write_predictions
from fer_lightning.training.contract import TrainedModule, is_trained_here


class BestPredictions(pl.Callback):
    """Writes ``val_logits.npz`` whenever the monitored metric is the best so far.

    Parameters
    ----------
    folder
        The run's folder; ``None`` takes the trainer's ``default_root_dir``.
    monitor, mode
        The metric that decides, and whether ``max`` or ``min`` of it is best.
    """

    def __init__(
        self, folder: str | Path | None = None, monitor: str = "val/acc", mode: Direction = "max"
    ) -> None:
        self.folder = folder
        self.best = BestEpoch(monitor, mode)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, so that a resumed run does not overwrite a better epoch."""
        return {"best": self.best.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best value of the interrupted run."""
        self.best.score = float(state_dict["best"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's validation logits if they are the best."""
        assert is_trained_here(pl_module)
        if self.best.improved(trainer.callback_metrics) and trainer.is_global_zero and pl_module.predictions:
            kept = kept_predictions(trainer.datamodule, pl_module)  # type: ignore[attr-defined]
            write_predictions(Path(self.folder or trainer.default_root_dir) / LOGITS_FILE, kept)


def kept_predictions(data: FaceDataModule, module: TrainedModule) -> Predictions:
    """Return the logits of the validation that was made last."""
    faces, kept = data.faces, module.predictions
    return Predictions(
        logits=kept["logits"].float().cpu().numpy(),
        labels=kept["labels"].cpu().numpy(),
        ids=np.asarray(faces.ids)[kept["positions"].cpu().numpy()],
        class_names=module.class_names,
    )
