"""What goes to W&B in one call: the metrics of an epoch, and the pictures that were made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class EpochRows:
    """Gathers metrics and media until an epoch is complete, since W&B takes one call a step.

    Lightning logs an epoch's validation first and its training last.

    Attributes
    ----------
    metrics, media
        By epoch: what is not logged yet.
    known
        The last epoch that W&B has already, from before an interruption; its metrics are not logged again.
    newest
        The last epoch whose metrics were logged; -1 for none.
    """

    def __init__(self) -> None:
        self.metrics: dict[int, dict[str, float]] = {}
        self.media: dict[int, dict[str, Any]] = {}
        self.complete: set[int] = set()
        self.known = -1
        self.last = -1
        self.newest = -1
        self._logged: set[tuple[int, str]] = set()

    def add(self, metrics: Mapping[str, float]) -> int | None:
        """Take metrics of the epoch that they name; return the epoch if they complete it."""
        epoch = self.last = int(metrics.get("epoch", -1))
        if 0 <= epoch <= self.known:
            return None
        self.metrics.setdefault(epoch, {}).update(metrics)
        if not any(key.startswith(("train/", "test/")) for key in metrics):
            return None
        self.complete.add(epoch)
        return epoch

    def add_media(self, media: Mapping[str, Any], epoch: int) -> None:
        """Take pictures and tables of an epoch, from 0."""
        self.media.setdefault(epoch, {}).update(media)

    def lacks(self, epoch: int, key: str) -> bool:
        """Return whether a picture or table of an epoch is yet to be logged."""
        return (epoch, key) not in self._logged

    def take(self, epoch: int) -> dict[str, Any]:
        """Return an epoch's row; media whose epoch was logged before make a row of their own, under that epoch."""
        self.complete.discard(epoch)
        if epoch in self.metrics:
            self.newest = epoch
        self._logged |= {(epoch, key) for key in self.media.get(epoch, {})}
        return {"epoch": epoch, **self.metrics.pop(epoch, {}), **self.media.pop(epoch, {})}

    def rest(self) -> list[dict[str, Any]]:
        """Return what is left, in the order of the epochs with metrics."""
        epochs = [*sorted(self.metrics), *sorted(self.media.keys() - self.metrics.keys())]
        return [self.take(epoch) for epoch in epochs]

    def drop_unfinished(self) -> None:
        """Forget epochs that were validated but not ended: they are trained again when the run goes on."""
        for epoch in self.metrics.keys() - self.complete:
            self.metrics.pop(epoch)
            self.media.pop(epoch, None)
