"""The groups of faces in which networks fail, as the gallery can be asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_lightning.report.gallery.face_table import FaceTable
from fer_lightning.report.gallery.packed import packed
from fer_lightning.stats.slices import FaceSlices


@dataclass(frozen=True)
class ShownSlices:
    """Slices, and by whom their faces are looked at first.

    Attributes
    ----------
    seen_by
        ``arm:NAME`` or ``run:NUMBER``; empty for whatever the gallery shows.
    """

    found: FaceSlices
    seen_by: str = ""

    def plain(self, table: FaceTable) -> dict[str, Any]:
        """Return what the page holds of them, such as the slice number of each face of the table, 0 for none."""
        known = dict(zip(self.found.ids.tolist(), self.found.group.tolist(), strict=True))
        numbers = np.array([known.get(name, 0) for name in table.ids.tolist()], np.uint8)
        return {
            "places": packed(numbers),
            "count": len(self.found.slices),
            "failing": [each.number for each in self.found.failing],
            "by": self.seen_by,
        }
