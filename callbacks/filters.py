"""What the filters of a layer look for, as images found by gradient ascent."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fer_lightning.callbacks.inspection import Findings, InspectionCallback, When
from fer_lightning.config.values import Count, checked
from fer_lightning.errors import ConfigError
from fer_lightning.explain.activation_maximization import gradient_ascent
from fer_lightning.explain.duplicate_filters import repeated_filters
from fer_lightning.explain.layers import convolutions
from fer_lightning.explain.subject import Subject
from fer_lightning.plots.filters import filter_sheet
from fer_lightning.plots.style import save_figure


class FilterImages(InspectionCallback):
    """Writes ``filters_<layer>.png``: for each filter the image that drives it most; also to W&B, as
    ``filters/<layer>``, or ``filters/first`` where no layer is named.

    Parameters
    ----------
    folder, when
        See :class:`InspectionCallback`.
    layer
        Dotted name of a convolution or a dense layer; ``None`` is the first convolution.
    filters
        The first so many of the layer's; ``None`` is all.
    steps
        Of gradient ascent.
    """

    @checked("callbacks.filters.")
    def __init__(
        self,
        folder: str | Path | None = None,
        when: When = "best",
        *,
        layer: str | None = None,
        filters: Count | None = 64,
        steps: Count = 40,
    ) -> None:
        super().__init__(folder, when)
        self.layer, self.filters, self.steps = layer, filters, steps

    def inspect(self, subject: Subject, folder: Path) -> Findings:
        """Climb, group what repeats, draw and write."""
        known = convolutions(subject.module, subject.blank)
        if self.layer is None and not known:
            raise ConfigError("the network has no convolution; name a dense layer as layer=…")
        layer = self.layer or next(iter(known))
        shown = None
        if self.filters is not None and layer in known:
            shown = range(min(self.filters, known[layer].out_channels))
        climb = partial(
            gradient_ascent,
            subject.module,
            layer,
            subject.image_size,
            channels=subject.channels,
            filters=shown,
            steps=self.steps,
        )
        ascent, unit = climb(), climb(objective="unit", smooth=0.0)
        groups = repeated_filters(unit.patterns)
        folder.mkdir(parents=True, exist_ok=True)
        name = layer.removeprefix("model.")
        sheet = filter_sheet(ascent, groups, synthetic=subject.pictures.synthetic)
        path = save_figure(sheet, folder / f"filters_{name}.png")
        # W&B compares runs by this key, and the first convolution has another name in every network.
        key = "first" if self.layer is None else name
        return Findings(images={f"filters/{key}": path})
