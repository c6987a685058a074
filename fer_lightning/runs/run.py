"""A run's folder, read: the one place that opens what a run has written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from fer_lightning.config.values import Direction
from fer_lightning.data.label import data_label
from fer_lightning.errors import DataError
from fer_lightning.runs.best_epoch import best_epoch
from fer_lightning.runs.confusion_counts import Confusion, confusion
from fer_lightning.runs.predictions import LOGITS_FILE, Predictions, read_predictions

RECORD_FILE: Final = "run.json"
CONFIG_FILE: Final = "config.yaml"
METRICS_FILE: Final = "metrics.csv"
PICTURE_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
# What a trial is judged by comes first; anything else follows by its name.
_ORDER: Final = (
    "confusion",
    "saliency",
    "trust",
    "regions",
    "lime",
    "filters",
    "class_images",
    "feature_maps",
    "history",
)
_SHEETS: Final = {"correct": "saliency", "mistakes": "saliency_mistakes"}


@dataclass(frozen=True)
class Run:
    """A run's folder; each file is read once, when it is first needed.

    A run that was killed, or never began, has fewer files or none. A file that is missing or half written reads as
    empty; `read` is for those who cannot do without it. Nothing is redacted: what leaves this machine must be.

    Attributes
    ----------
    folder
        ``None`` for a run that never began.

    Examples
    --------
    >>> Run(Path("no/such/folder")).record
    {}
    """

    folder: Path | None = None

    def read(self, name: str) -> dict[str, Any]:
        """Return the mapping in a ``.json`` or ``.yaml`` file of the folder.

        Raises
        ------
        DataError
            The file is missing, half written or holds no mapping.
        """
        try:
            if self.folder is None:
                raise FileNotFoundError("no folder")
            text = (self.folder / name).read_text(encoding="utf-8")
            found = json.loads(text) if name.endswith(".json") else yaml.load(text, _yaml_loader())
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise DataError(f"{self.folder}: its {name} cannot be read ({reason})") from None
        if not isinstance(found, dict):
            raise DataError(f"{self.folder}: its {name} holds {type(found).__name__}, expected a mapping")
        return found

    def _read_or_empty(self, name: str) -> dict[str, Any]:
        with suppress(DataError):
            return self.read(name)
        return {}

    @cached_property
    def record(self) -> dict[str, Any]:
        """``run.json``: what was run, on what, where, and what came of it."""
        return self._read_or_empty(RECORD_FILE)

    @cached_property
    def config(self) -> dict[str, Any]:
        """``config.yaml``, resolved."""
        return self._read_or_empty(CONFIG_FILE)

    @cached_property
    def metrics(self) -> list[dict[str, float]]:
        """``metrics.csv``: one row an epoch, without the cells that are empty; ``epoch`` counts from 0."""
        from fer_lightning.runs.metrics_csv import read_metrics  # it loads Lightning

        if self.folder is None:
            return []
        try:
            return read_metrics(self.folder / METRICS_FILE)
        except (OSError, ValueError, TypeError):
            return []

    @property
    def best(self) -> dict[str, Any]:
        """Metrics of the best epoch, so far if the run has not ended; its number ``epoch`` counts from 0."""
        metric, mode = self.record.get("metric", "val/acc"), self.record.get("mode", "max")
        return self.record.get("best") or best_numbers(self.metrics, metric, mode)

    @property
    def value(self) -> float | None:
        """The monitored metric of the best epoch; ``None`` where nothing was validated."""
        return self.best.get(self.record.get("metric", "val/acc"))

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint of the best epoch, else the last one; ``None`` where there is none."""
        places = (
            []
            if self.folder is None
            else [self.folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last")]
        )
        return next((path for path in places if path.is_file()), None)

    @cached_property
    def predictions(self) -> Predictions | None:
        """Logits on the validation faces at the best epoch; ``None`` where the run left none.

        Raises
        ------
        DataError
            The file is damaged.
        """
        if self.folder is None or not (self.folder / LOGITS_FILE).is_file():
            return None
        return read_predictions(self.folder / LOGITS_FILE)

    @cached_property
    def confusion(self) -> Confusion | None:
        """Faces by true and predicted class at the best epoch, as stored or counted; ``None`` if neither can be."""
        stored = self._read_or_empty("confusion.json")
        counts, names = np.asarray(stored.get("counts", [])), stored.get("class_names", [])
        if names and counts.shape == (len(names), len(names)) and counts.dtype.kind in "iu":
            return Confusion(counts, tuple(map(str, names)))
        with suppress(DataError):
            return None if self.predictions is None else confusion(self.predictions)
        return None

    @cached_property
    def sheets(self) -> dict[str, tuple[Path, dict[str, Any]]]:
        """Saliency grids of "correct" and "mistakes": the picture, and what the ``.json`` beside it says of it."""
        if self.folder is None:
            return {}
        places = {kind: self.folder / f"{name}.png" for kind, name in _SHEETS.items()}
        return {
            kind: (path, self._read_or_empty(f"{path.stem}.json"))
            for kind, path in places.items()
            if path.is_file()
        }

    @cached_property
    def pictures(self) -> list[Path]:
        """All pictures, those of its explanations too; what runs are compared by comes first."""
        found: list[Path] = []
        for place in () if self.folder is None else (self.folder, *(self.folder / name for name in _ORDER)):
            with suppress(OSError):
                found += [
                    path for path in place.iterdir() if path.suffix in PICTURE_TYPES and path.name[0] != "."
                ]
        return sorted(found, key=lambda path: (_rank(path.stem), path.name))

    def _repr_html_(self) -> str:
        from fer_lightning.runs.notebook_html import lines_html, picture_html, table_html

        record, data = self.record, self.record.get("data") or {}
        label = data_label(str(data.get("name", "unknown data")), bool(data.get("synthetic")))
        said = f"Run in {self.folder}: {record.get('status', 'no run.json')}, on {label}"
        rows = [
            (name, f"{value:.4f}" if isinstance(value, float) else str(value))
            for name, value in self.best.items()
            if name != "epoch"
        ]
        if (epoch := self.best.get("epoch")) is not None:
            rows.insert(0, ("epoch (from 1)", str(int(epoch) + 1)))
        shown = [path for path in self.pictures if path.parent == self.folder]
        return lines_html([said]) + table_html(["best epoch", ""], rows) + "".join(map(picture_html, shown))


def _rank(stem: str) -> int:
    return next((rank for rank, name in enumerate(_ORDER) if stem.startswith(name)), len(_ORDER))


def _yaml_loader() -> Any:
    # libyaml's is ten times as fast, which 500 runs feel; it is missing in some builds of PyYAML.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def best_numbers(rows: Iterable[Mapping[str, Any]], metric: str, mode: Direction) -> dict[str, float]:
    """Return the numbers of the row in which a metric is best; empty where it was never measured."""
    best = best_epoch((row for row in rows if is_number(row.get(metric))), metric, mode) or {}
    return {key: value for key, value in best.items() if not key.startswith("_") and is_number(value)}


def is_number(value: Any) -> bool:
    """Say whether a value is a number and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
