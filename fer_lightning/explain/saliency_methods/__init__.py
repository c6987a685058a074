"""How much each pixel of a face counts for a class."""

from fer_lightning.explain.saliency_methods.attribution import Attribution, Method
from fer_lightning.explain.saliency_methods.methods import (
    CONTROLS,
    METHODS,
    attributions,
    make_method,
)

__all__ = ["CONTROLS", "METHODS", "Attribution", "Method", "attributions", "make_method"]
