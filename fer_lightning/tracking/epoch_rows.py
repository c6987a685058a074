"""What goes to W&B in one call: the metrics of an epoch, and the pictures that were made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class EpochRows:
    """Gathers metrics and media until an epoch is complete, since W&B takes one call a step.

    Lightning logs an epoch's validation first and its training last.
    """

    def __init__(self) -> None:
        self.metrics: dict[int, dict[str, float]] = {}
        self.media: dict[str, Any] = {}
        self.last: int | None = None

    def add(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        """Take metrics of the epoch that they name; return its row if they complete it, else nothing."""
        epoch = int(metrics.get("epoch", -1))
        self.metrics.setdefault(epoch, {}).update(metrics)
        ended = any(key.startswith(("train/", "test/")) for key in metrics)
        return self._take(epoch) if ended else {}

    def _take(self, epoch: int) -> dict[str, Any]:
        media, self.media = self.media, {}
        self.last = epoch
        return self.metrics.pop(epoch) | media

    def rest(self) -> list[dict[str, Any]]:
        """Return what is left: epochs that were not finished, and pictures made after the last one."""
        rows = [self._take(epoch) for epoch in sorted(self.metrics)]
        if self.media:
            media, self.media = self.media, {}
            rows.append(({} if self.last is None else {"epoch": self.last}) | media)
        return rows
