"""Classes, splits and persons that data sets write into files' names or into files of labels."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from fer_lightning.data.class_folders import class_name, is_picture, split_of
from fer_lightning.data.expressions import expression
from fer_lightning.data.members import Members
from fer_lightning.data.splits import UNSPLIT
from fer_lightning.errors import ConfigError, DataError

RAF_CLASSES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
"""The classes 1 to 7 of RAF-DB."""
AFFECTNET_CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
"""The classes 0 to 7 of AffectNet."""
_RAF_NAME = re.compile(r"(train|test)_\d+(_aligned)?")
_RAF_LIST = re.compile(r"(.*/)?list_par?tition_label\.txt", re.IGNORECASE)
_AFFECTNET_LABEL = re.compile(r"((.*/)?([^/]+)/)annotations/(.+)_exp\.npy")
_NAMES = {
    "CK+": r"(?P<person>S\d{3})_\d{3}_\d{8}",
    "JAFFE": r"(?P<person>[A-Z]{2})\.(?P<class>[A-Z]{2})\d+\.\d+",
    "KDEF": r"[AB](?P<person>[FM]\d{2})(?P<class>AF|AN|DI|HA|NE|SA|SU)(?:S|HL|HR|FL|FR)",
    "RaFD": r"Rafd\d+_(?P<person>\d+)_[A-Za-z]+_(?:fe)?male_(?P<class>[a-z]+)_\w+",
}
"""How data sets call their files, without endings."""

Labelled = tuple[str, str, int]
"""A picture, its class, and its split or UNSPLIT."""


class FileNames:
    """What files' names say of the person and the class: as a given pattern has it, or as a known data set does.

    Parameters
    ----------
    pattern
        Regular expression for a file's name without ending, with a group ``person`` or ``class`` or both; ``None``
        looks whether all names are those of CK+, JAFFE, KDEF or RaFD; empty reads nothing off the names.
    files
        The pictures.

    Raises
    ------
    ConfigError
        The pattern is none, or has neither group.
    DataError
        A name does not follow the given pattern.
    """

    def __init__(self, pattern: str | None, files: Sequence[str]) -> None:
        stems = [PurePosixPath(file).stem for file in files]
        self.source, self.found = "", dict[str, re.Match[str]]()
        for source, candidate in (
            _NAMES.items() if pattern is None else [("data.names", pattern)] if pattern else []
        ):
            try:
                matches = [re.fullmatch(candidate, stem) for stem in stems]
            except re.error as error:
                raise ConfigError(f"data.names={pattern}: not a regular expression ({error})") from error
            if stems and all(matches):
                self.source = source
                self.found = {file: match for file, match in zip(files, matches, strict=True) if match}
                break
            if pattern is not None and stems:
                file = files[matches.index(None)]
                raise DataError(f"{file}: its name does not follow data.names={pattern}")
        groups = set().union(*(match.groupdict() for match in list(self.found.values())[:1]))
        if pattern and self.found and not groups & {"class", "person"}:
            raise ConfigError(f"data.names={pattern}: expected a group (?P<class>…) or (?P<person>…)")
        self.has_classes, self.has_persons = "class" in groups, "person" in groups

    def label(self, file: str) -> str:
        """Return the class of a picture."""
        word = self.found[file]["class"]
        return class_name((expression(word) or word) if self.source != "data.names" else word)

    def persons(self, files: Sequence[str]) -> list[str] | None:
        """Return the person in each picture, if the names say it."""
        return [self.found[file]["person"] for file in files] if self.has_persons else None


def read_label_files(members: Members) -> list[Labelled] | None:
    """Read the labels of RAF-DB (``list_patition_label.txt``) or AffectNet (``*_exp.npy``) as they are given out.

    Returns
    -------
    list or None
        A picture, class name and split each; None if there are no such labels.

    Raises
    ------
    DataError
        A label is none, or a picture is missing.
    """
    listing = next((name for name in members.files if _RAF_LIST.fullmatch(name)), None)
    if listing is not None:
        return _raf_db(members, listing)
    labels = [match for name in members.files if (match := _AFFECTNET_LABEL.fullmatch(name))]
    return _affectnet(members, labels) if labels else None


def _raf_db(members: Members, listing: str) -> list[Labelled]:
    pictures = {PurePosixPath(name).stem: name for name in members.files if is_picture(name)}
    found = []
    for number, line in enumerate(members.read(listing).decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        name, _, code = line.strip().rpartition(" ")
        stem = PurePosixPath(name).stem
        place = f"{members.where(listing)} line {number}"
        if code not in map(str, range(1, 8)):
            raise DataError(f"{place}: {line[:60]!r}; expected a picture and a number from 1 to 7")
        picture = pictures.get(f"{stem}_aligned", pictures.get(stem))
        split = split_of(stem)
        if picture is None or split is None:
            raise DataError(
                f"{place}: no picture {stem}_aligned or {stem}; expected train_… and test_… in Image/aligned"
            )
        found.append((picture, RAF_CLASSES[int(code) - 1], split))
    return found


def _affectnet(members: Members, labels: Sequence[re.Match[str]]) -> list[Labelled]:
    pictures = {str(PurePosixPath(name).with_suffix("")): name for name in members.files if is_picture(name)}
    found = []
    for match in labels:
        folder, _, outer, stem = match.groups()
        picture = pictures.get(f"{folder}images/{stem}")
        try:
            code = int(np.load(io.BytesIO(members.read(match.string)), allow_pickle=False))
            name = AFFECTNET_CLASSES[code]
        except (ValueError, IndexError, TypeError, EOFError):
            raise DataError(
                f"{members.where(match.string)}: expected the number of an expression from 0 to 7"
            ) from None
        if picture is None:
            raise DataError(f"{members.where(match.string)}: no picture images/{stem}")
        split = split_of(outer)
        found.append((picture, name, UNSPLIT if split is None else split))
    return found


def raf_names(class_names: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Return the names of the classes where they are RAF-DB's numbers, told by its files' names."""
    if set(class_names) == set("1234567") and all(
        _RAF_NAME.fullmatch(PurePosixPath(file).stem) for file in files
    ):
        return dict(zip("1234567", RAF_CLASSES, strict=True))
    return {}
