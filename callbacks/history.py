"""Draw loss and accuracy of every epoch, for training and validation (R0, R2, R3)."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from fer_lightning.plots.history_sheet import history_sheet
from fer_lightning.runs.run import Run


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
        rows = Run(self.folder).metrics
        if trainer.is_global_zero and rows:
            faces = trainer.datamodule.faces  # type: ignore[attr-defined]
            title = f"{faces.name} data, drawn by a program" if faces.synthetic else faces.name
            picture = history_sheet(rows, title)
            picture.save(self.folder / "history.png", compress_level=1)
