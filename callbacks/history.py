"""Draw loss and accuracy of every epoch, for training and validation."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from fer_lightning.data.label import data_label
from fer_lightning.plots.history_sheet import history_sheet
from fer_lightning.runs.metrics_csv import read_metrics


class HistoryFigure(pl.Callback):
    """Writes ``history.png`` from ``metrics.csv`` when training ends.

    Parameters
    ----------
    folder
        The run's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the figure."""
        table = self.folder / "metrics.csv"
        if trainer.is_global_zero and table.exists():
            faces = trainer.datamodule.faces  # type: ignore[attr-defined]
            picture = history_sheet(read_metrics(table), data_label(faces.name, faces.synthetic))
            picture.save(self.folder / "history.png", compress_level=1)
