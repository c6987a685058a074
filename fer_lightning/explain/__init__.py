"""What a network looks at, and whether the picture is true.

The functions take any ``nn.Module`` that maps pictures, grey or colour and of any range, to logits; see
`fer_lightning.explain.functions` for the shapes that they share. They are loaded when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_lightning.data.input_range import standardized_range as standardized_range
    from fer_lightning.explain.functions import class_images as class_images
    from fer_lightning.explain.functions import feature_maps as feature_maps
    from fer_lightning.explain.functions import filters as filters
    from fer_lightning.explain.functions import lime as lime
    from fer_lightning.explain.functions import regions as regions
    from fer_lightning.explain.functions import saliency as saliency
    from fer_lightning.explain.functions import trust as trust
    from fer_lightning.explain.unit_watch import dead_units as dead_units

_FROM = {
    "standardized_range": "fer_lightning.data.input_range",
    "dead_units": "fer_lightning.explain.unit_watch",
} | dict.fromkeys(
    ("class_images", "feature_maps", "filters", "lime", "regions", "saliency", "trust"),
    "fer_lightning.explain.functions",
)
__all__ = sorted(_FROM)


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
