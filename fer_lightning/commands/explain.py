"""``python -m fer_lightning explain checkpoint=… output=DIR``: what a network looks at, as files and one page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from fer_lightning.api.explained import explain
from fer_lightning.commands.arguments import REQUIRED, parse_arguments
from fer_lightning.config.values import Count, CountOrZero, Name, Processors
from fer_lightning.data.faces import Split
from fer_lightning.errors import ConfigError
from fer_lightning.explain.page.options import RegionFaces
from fer_lightning.messages import counted
from fer_lightning.redact import redact_text

EXAMPLE = "checkpoint=runs/one/checkpoints/best.ckpt output=explained"


@dataclass
class Keys:
    """What may be asked of the command."""

    checkpoint: Name = REQUIRED
    output: Name = REQUIRED
    only: Annotated[Any, Field(description="a part of the page, or several as only=[a,b]")] = None
    layer: Annotated[Any, Field(description="a layer, or several as layer=[a,b]")] = None
    image: Annotated[Any, Field(description="a picture, folder or pattern, or several as image=[a,b]")] = None
    ids: Annotated[Any, Field(description="ids of faces, as ids=[a,b]")] = None
    method: Annotated[Any, Field(description="a saliency method, or several as method=[a,b]")] = None
    split: Split = "val"
    compare: Name | None = None
    gallery: bool | None = None
    trust: bool = True
    faces: Count = 49
    region_faces: RegionFaces = 210
    filters: Count = 128
    own_pictures: Count = 28
    seed: CountOrZero = 0
    threads: Processors | None = None


PREFIXES = ("data.", "saliency.", "trust.", "lime.", "regions.")
_SEVERAL = {"image": "images", "method": "methods", "layer": "layers"}


def main(arguments: list[str]) -> int:
    """Write every part that applies into ``output``, and a page that holds them all."""
    values, settings = parse_arguments(arguments, Keys, prefixes=PREFIXES)
    checkpoint, output = values.pop("checkpoint"), values.pop("output")
    if not checkpoint or not output:
        raise ConfigError(
            "explain checkpoint=… output=DIR: expected one checkpoint and a folder for the page"
        )
    data = {key: settings.pop(key) for key in list(settings) if key.startswith("data.")}
    several = {_SEVERAL.get(key, key): value for key, value in values.items()}
    started = time.perf_counter()
    found = explain(checkpoint, output, data=data, settings=settings, say=_say, **several)
    _say(f"{found.page}: {counted(len(found.pictures), 'figure')}, {time.perf_counter() - started:.0f} s")
    return 0


def _say(text: str) -> None:
    print(redact_text(text), flush=True)
