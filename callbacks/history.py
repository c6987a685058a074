"""Draw loss and accuracy of every epoch, for training and validation."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from fer_lightning.data.label import data_label
from fer_lightning.plots.learning_curves import plot_learning_curves
from fer_lightning.plots.style import save_figure
from fer_lightning.runs.run import Run


class HistoryFigure(pl.Callback):
    """Writes ``history.png`` from ``metrics.csv`` when training ends.

    Parameters
    ----------
    folder
        The run's folder; ``None`` takes the trainer's ``default_root_dir``.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = folder

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the figure."""
        folder = Path(self.folder or trainer.default_root_dir)
        rows = Run(folder).metrics
        if trainer.is_global_zero and rows:
            faces = trainer.datamodule.faces  # type: ignore[attr-defined]
            figure = plot_learning_curves(rows, data_label(faces.name, faces.synthetic))
            save_figure(figure, folder / "history.png", dpi=100)
