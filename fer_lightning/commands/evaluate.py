"""``python -m fer_lightning evaluate checkpoint=… split=…``: a checkpoint, or several averaged, on a split."""

from __future__ import annotations

from dataclasses import dataclass

from fer_lightning.api.evaluated import evaluate
from fer_lightning.commands.arguments import REQUIRED, Checkpoints, parse_arguments
from fer_lightning.config.values import Count, Name, Processors, Slices
from fer_lightning.data.faces import Split
from fer_lightning.errors import ConfigError

EXAMPLE = "checkpoint=runs/one/checkpoints/best.ckpt split=test output=eval/one"


@dataclass
class Keys:
    """What may be asked of the command."""

    checkpoint: Checkpoints = REQUIRED
    split: Split = "val"
    flip: bool = False
    crop: Count | None = None
    output: Name | None = None
    gallery: bool | None = None
    slices: Slices | None = None
    threads: Processors | None = None


def main(arguments: list[str]) -> int:
    """Print accuracy, macro-F1, calibration error and recalls; with ``output=DIR`` also write them.

    Of the validation split there is also ``faces.html``, a page of its faces; ``gallery=false`` leaves it out,
    and the groups of faces in which the model fails: ``slices=12`` looks at so many, ``slices=false`` at none.
    """
    values, overrides = parse_arguments(arguments, Keys, prefixes=["data."])
    checkpoint = values.pop("checkpoint")
    if not checkpoint:
        raise ConfigError("checkpoint=…: expected a checkpoint, or several as checkpoint=[a,b]")
    print(evaluate(checkpoint, data=overrides, **values))
    return 0
