"""What the classes are taken for, of the best epoch: a picture, a table, and a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from fer_lightning.callbacks.inspection import Findings, InspectionCallback, When
from fer_lightning.callbacks.predictions import kept_predictions
from fer_lightning.config.values import Direction
from fer_lightning.explain.subject import Subject
from fer_lightning.plots.confusion import plot_confusion
from fer_lightning.plots.style import save_figure
from fer_lightning.runs.best_epoch import BestEpoch
from fer_lightning.runs.confusion_counts import Confusion, confusion
from fer_lightning.runs.files import write_json
from fer_lightning.tracking.media import confusion_table
from fer_lightning.training.contract import is_trained_here


class ConfusionMatrix(InspectionCallback):
    """Writes ``confusion.json`` and ``confusion.png``; to loggers the picture and a table of counts.

    The file is written at every epoch that is the best so far, so that a run that is killed leaves it too; the
    picture is drawn when ``when`` says so.

    Parameters
    ----------
    folder, when
        See :class:`InspectionCallback`.
    monitor, mode
        The metric that decides which epoch is the best, and whether ``max`` or ``min`` of it is.
    """

    quick = True

    def __init__(
        self,
        folder: str | Path | None = None,
        when: When = "best",
        *,
        monitor: str = "val/acc",
        mode: Direction = "max",
    ) -> None:
        super().__init__(folder, when)
        self.best = BestEpoch(monitor, mode)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, so that a resumed run does not overwrite a better epoch."""
        return {"best": self.best.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best value of the interrupted run."""
        self.best.score = float(state_dict["best"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the counts of an epoch that is the best so far; look, if it is this epoch's turn."""
        improved = self.best.improved(trainer.callback_metrics) and self.when == "best"
        # The logits of a validation are kept by this module only; those of others are computed when training ends.
        if improved and trainer.is_global_zero and is_trained_here(pl_module):
            with self.guard(pl_module):
                _write(confusion(kept_predictions(trainer.datamodule, pl_module)), self.run_folder)  # type: ignore[attr-defined]
        super().on_train_epoch_end(trainer, pl_module)

    def inspect(self, subject: Subject, folder: Path) -> Findings:
        """Count, draw and write."""
        found = confusion(subject.predictions)
        _write(found, folder)
        ax = plot_confusion(found, title=f"Confusion matrix: {subject.title}")
        picture = save_figure(ax, folder / "confusion.png", dpi=100)
        return Findings(
            images={"confusion/matrix": picture},
            tables={"confusion/counts": confusion_table(found.counts, found.class_names)},
        )


def _write(found: Confusion, folder: Path) -> None:
    values = {"class_names": list(found.class_names), "counts": found.counts.tolist()}
    write_json(folder / "confusion.json", values)
