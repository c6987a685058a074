"""What a person can ask of an explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from fer_lightning.config.values import Count, CountOrZero, check_fields
from fer_lightning.explain.lime_explanation import Lime
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.explain.saliency_methods import Method, make_method
from fer_lightning.explain.trust_checks import TrustRules

RegionFaces = Annotated[int, Field(ge=14)]


@dataclass(frozen=True)
class Options:
    """What is looked at and how much of it.

    Attributes
    ----------
    layers
        Convolutions or dense layers whose filters are shown; none: four, from the first to the last.
    methods
        Saliency methods; none: all that go with the network.
    ids
        Faces of the split whose saliency is shown besides; none: those that are chosen by what the network makes of
        them.
    saliency
        Methods whose settings are not the default ones, by name.
    trust
        Check the saliency methods.
    rules
        How they are checked, on how many faces, and the thresholds of the verdict.
    lime, regions
        What explains a face by superpixels, and what covers the regions of faces.
    region_faces
        Faces on which the regions are covered.
    filters
        Filters of a layer that are shown at most.
    own_pictures
        Own pictures that are explained at most.
    seed
        Of every choice.
    """

    layers: Sequence[str] = ()
    methods: Sequence[str] = ()
    ids: Sequence[str] = ()
    saliency: Mapping[str, Method] = field(default_factory=dict)
    trust: bool = True
    rules: TrustRules = field(default_factory=TrustRules)
    lime: Lime = field(default_factory=Lime)
    regions: RegionOcclusion = field(default_factory=RegionOcclusion)
    region_faces: RegionFaces = 210
    filters: Count = 128
    own_pictures: Count = 28
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        """Check every value."""
        check_fields(self)

    def method(self, name: str) -> Method:
        """Return the saliency method of this name, with the settings that were asked for."""
        return self.saliency.get(name) or make_method(name)
