"""One part of what ``explain`` makes of a checkpoint, made of a run: class images, LIME, regions, feature maps."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from PIL import Image

from fer_lightning.callbacks.inspection import Findings, InspectionCallback, When
from fer_lightning.errors import ConfigError
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.parts import PARTS, make_parts
from fer_lightning.explain.subject import Subject

log = logging.getLogger(__name__)


class ExplanationPart(InspectionCallback):
    """Writes a part's figures into a folder of its name, and shows them in W&B.

    Parameters
    ----------
    folder, when
        See :class:`InspectionCallback`.
    part
        As for ``only=…`` of the command ``explain``: ``class_images``, ``lime``, ``regions``, ``feature_maps`` and
        the others, but for ``own``.
    options
        Of :class:`Options`: how many faces, and what explains them.

    Raises
    ------
    ConfigError
        There is no such part, or an option is out of range.
    """

    def __init__(
        self, folder: str | Path | None = None, when: When = "best", *, part: str, **options: Any
    ) -> None:
        super().__init__(folder, when)
        known = [name for name in PARTS if name != "own"]
        if part not in known:
            raise ConfigError(f"part={part}: expected one of {', '.join(known)}")
        self.part, self.options = part, Options(**options)

    @property
    def state_key(self) -> str:
        """Tell several of these callbacks apart."""
        return f"{type(self).__name__}-{self.part}-{self.when}"

    def inspect(self, subject: Subject, folder: Path) -> Findings:
        """Make the part; log what does not apply to the network or its data, and leave it out."""
        (section,) = make_parts(subject, self.options, folder, [self.part], log.debug)
        for reason in section.left_out:
            log.warning("%s: %s", self.part, reason)
        images = {}
        for picture in section.pictures:
            with Image.open(picture.path) as drawn:
                images[f"{self.part}/{picture.path.stem}"] = drawn.convert("RGB")
        return Findings(images=images)
