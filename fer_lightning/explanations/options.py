"""What a person can ask of an explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_lightning.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """What is looked at and how much of it.

    Attributes
    ----------
    layers
        Convolutions or dense layers whose filters are shown; none: four, from the first to the last.
    methods
        Saliency methods; none: all that go with the network.
    trust
        Check the saliency methods.
    faces
        Correctly classified faces on which they are checked.
    region_faces
        Faces on which the regions are covered.
    filters
        Filters of a layer that are shown at most.
    seed
        Of every choice.

    Raises
    ------
    ConfigError
        A value is out of range.
    """

    layers: Sequence[str] = ()
    methods: Sequence[str] = ()
    trust: bool = True
    faces: int = 49
    region_faces: int = 210
    filters: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every value."""
        for name, least in (("faces", 2), ("region_faces", 14), ("filters", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name}={value}: expected a whole number of at least {least}")
        if not isinstance(self.trust, bool):
            raise ConfigError(f"trust={self.trust}: expected true or false")
