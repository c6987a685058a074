"""``metrics.csv``: one row an epoch, whole at every moment, continued after an interruption."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from fer_lightning.config.metric_table import single_values
from fer_lightning.runs.files import write_text


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the rows of a ``metrics.csv``; cells that are empty are left out."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(stream)]


class MetricsCsv(Logger):
    """Collects what Lightning logs during an epoch into that epoch's row.

    Parameters
    ----------
    folder
        The run's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self.rows: dict[int, dict[str, float]] = {}

    @property
    def name(self) -> str:
        """Lightning's name of the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """Lightning's version of the logger: the run's folder is its own."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run's folder."""
        return str(self.path.parent)

    @property
    @rank_zero_experiment
    def experiment(self) -> MetricsCsv:
        """The logger itself."""
        return self

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's ``config.yaml`` holds them."""

    def restore(self, epochs: int, path: Path) -> None:
        """Take over the first ``epochs`` rows of an interrupted run's file; later ones will be trained again."""
        if path.exists():
            for row in read_metrics(path):
                if row["epoch"] < epochs:
                    # Counts are written as the whole numbers that they are, as in a run that was not interrupted.
                    counts = {key: int(row[key]) for key in ("epoch", "step") if key in row}
                    self.rows[counts["epoch"]] = row | counts

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add ``metrics`` to their epoch's row and write the file."""
        values = dict(metrics)
        epoch = values.pop("epoch", None)
        if epoch is None:
            return
        row = self.rows.setdefault(int(epoch), {"epoch": int(epoch)})
        row |= values
        if step is not None:
            row["step"] = step + 1
        self.write()

    def write(self) -> None:
        """Write all rows, whole or not at all."""
        seen = {key for row in self.rows.values() for key in row}
        first = ["epoch", "step"]
        first += [f"{split}/{name}" for split in ("train", "val") for name in single_values(headline=True)]
        columns = [key for key in first if key in seen] + sorted(seen - set(first))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(self.rows.items()))
        write_text(self.path, text.getvalue())
