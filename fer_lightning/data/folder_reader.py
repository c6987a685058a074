"""FER2013 as Kaggle's folders: ``{train,test}/<class>/*.jpg``, in a folder or an archive."""

from __future__ import annotations

from pathlib import PurePosixPath

from fer_lightning.data.class_folders import ClassFolder, split_of
from fer_lightning.data.expressions import fer_class
from fer_lightning.data.faces import FER_CLASSES, RawFaces
from fer_lightning.data.fer_plus import require_rows
from fer_lightning.data.file_labels import Labelled
from fer_lightning.data.image_folder import Listing, class_pictures, read_listing
from fer_lightning.data.members import Members, legible
from fer_lightning.data.reading import Reading
from fer_lightning.data.splits import TEST, VAL
from fer_lightning.errors import DataError

_PREFIXES = ("Training_", "PublicTest_", "PrivateTest_")


def read_fer_folder(members: Members, how: Reading) -> RawFaces:
    """Read FER2013 in one of Kaggle's folder forms; the classes may be spelled in other ways.

    One of them has PublicTest and PrivateTest together in ``test/``, and the prefix of each file's name tells them
    apart. Where no file has such a prefix all of ``test/`` is the test split.

    Parameters
    ----------
    members
        The folder's or the archive's files.
    how
        Its splitting is used where there are no validation files.

    Returns
    -------
    RawFaces
        In the order of the files' paths; ids are the files' names without ending, e.g. ``Training_10118481``, or their
        paths where the files are called otherwise.

    Raises
    ------
    DataError
        If a class folder's name is unknown, some test files have no split prefix, a class is empty, or a file is
        broken.
    """
    notes: list[str] = []
    pictures: list[Labelled] = []
    for place, inside in class_pictures(members, notes):
        label = _label(members, place)
        pictures += [(name, label, place.split) for name in inside]
    pictures = _split_tests(members, pictures, notes)
    ids = [PurePosixPath(name).stem for name, _, _ in pictures]
    if not all(name.startswith(_PREFIXES) for name in ids):
        ids = [legible(name) for name, _, _ in pictures]
    if how.votes:
        require_rows(ids, how.votes)
    listing = Listing(pictures, ids, FER_CLASSES, notes=notes)
    return read_listing(members, listing, how, "fer2013")


def _label(members: Members, place: ClassFolder) -> str:
    label = fer_class(place.class_name)
    if label is None:
        raise DataError(
            f"{members.where(place.prefix.rstrip('/'))}: unknown class {place.class_name!r}; expected "
            f"{', '.join(FER_CLASSES)}; data=image_folder reads any classes"
        )
    return FER_CLASSES[label]


def _split_tests(members: Members, pictures: list[Labelled], notes: list[str]) -> list[Labelled]:
    """Tell PublicTest (val) from PrivateTest (test) by the files' names."""
    found = {
        name: split_of(prefix) if "Test" in (prefix := PurePosixPath(name).name.split("_")[0]) else None
        for name, _, split in pictures
        if split == TEST
    }
    if any(split == VAL for _, _, split in pictures) and not any(found.values()):
        return pictures
    if found and not any(found.values()):
        notes.append(
            f"the {len(found):,} files in test do not say which are PublicTest and which PrivateTest: all of them are "
            "test faces, and accuracies are not those of FER2013's own splits"
        )
        return pictures
    for name, split in found.items():
        if split is None:
            raise DataError(
                f"{members.where(name)}: expected a name that begins with PublicTest_ or PrivateTest_, "
                "by which FER2013's test files are split; for faces of your own use data=image_folder"
            )
    return [(name, label, found.get(name) or split) for name, label, split in pictures]
