"""Keep the validation logits of the best epoch beside its checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl

from fer_lightning.module import ExpressionClassifier
from fer_lightning.predictions import Predictions, write_predictions


class BestPredictions(pl.Callback):
    """Writes ``val_logits.npz`` whenever the monitored metric is the best so far.

    Parameters
    ----------
    folder
        The run's folder.
    monitor, mode
        The metric that decides, and whether ``max`` or ``min`` of it is best.
    """

    def __init__(self, folder: str | Path, monitor: str = "val/acc", mode: str = "max") -> None:
        self.path = Path(folder) / "val_logits.npz"
        self.monitor, self.sign = monitor, 1.0 if mode == "max" else -1.0
        self.best = -math.inf

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, so that a resumed run does not overwrite a better epoch."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best value of the interrupted run."""
        self.best = float(state_dict["best"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's validation logits if they are the best."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is None or trainer.sanity_checking or not trainer.is_global_zero:
            return
        score = self.sign * float(value)
        if not score > self.best:
            return
        self.best = score
        assert isinstance(pl_module, ExpressionClassifier)
        faces = trainer.datamodule.faces  # type: ignore[attr-defined]
        kept = pl_module.predictions
        positions = kept["positions"].cpu().numpy()
        write_predictions(
            self.path,
            Predictions(
                logits=kept["logits"].float().cpu().numpy(),
                labels=kept["labels"].cpu().numpy(),
                ids=np.asarray(faces.ids)[positions],
                class_names=pl_module.class_names,
            ),
        )
