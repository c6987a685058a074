"""What a source of faces is, and how faces are read from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fer_lightning.data.faces import RawFaces
from fer_lightning.data.picture_arrays import Allocate, in_memory
from fer_lightning.data.splits import Splitting


@dataclass(frozen=True)
class Reading:
    """How faces are read, whatever their source; its text is a part of a cache's key.

    Attributes
    ----------
    size
        Height and width to which pictures are brought, in pixels.
    splitting
        Deals faces to splits where the source has none.
    unreadable
        ``refuse`` pictures that cannot be read, or ``skip`` them.
    names
        What the files' names say: see :class:`~fer_lightning.data.file_labels.FileNames`.
    channels
        1 for grey, 3 for colour.
    allocate
        Gives room for the pictures.
    votes
        FER+'s table, which follows the rows of ``fer2013.csv``; None takes FER2013's own labels.
    """

    size: int
    splitting: Splitting = field(default_factory=Splitting)
    unreadable: str = "refuse"
    names: str | None = None
    # Not in the text: the keys of grey faces are those of versions that knew no others.
    channels: int = field(default=1, repr=False)
    allocate: Allocate = field(default=in_memory, repr=False)
    votes: Path | None = field(default=None, repr=False)

    def colour_notes(self, coloured: str) -> list[str]:
        """Say where colours are lost, or where there are none to keep; ``coloured`` names a picture that has some."""
        if self.channels == 1 and coloured:
            return [
                f"pictures are in colour (the first is {coloured}) and are read as grey; data.channels=3 keeps it"
            ]
        if self.channels > 1 and not coloured:
            return [
                "the pictures are grey: red, green and blue of each are alike, and data.channels=1 is enough"
            ]
        return []


@dataclass(frozen=True)
class Source:
    """Where faces come from: how to tell whether it has changed, and how to read it.

    Attributes
    ----------
    path
        The file or folder that is read.
    fingerprint
        Gives the source's fingerprint, quickly.
    read
        Reads the faces.
    """

    path: Path
    fingerprint: Callable[[Path], str]
    read: Callable[[Path, Reading], RawFaces]
