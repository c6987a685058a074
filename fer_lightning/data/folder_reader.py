"""Kaggle's folder form of FER2013: ``{train,test}/<class>/*.jpg``, in a folder or a zip."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from fer_lightning.data.decode import read_grey
from fer_lightning.data.faces import FER_CLASSES, RawFaces
from fer_lightning.data.members import Members, check_class_folder, inner_root
from fer_lightning.data.splits import TEST, TRAIN, VAL, Splitting
from fer_lightning.errors import DataError

_FOLDERS = frozenset({"train", "test"})
_TEST_PREFIXES = {"PublicTest": VAL, "PrivateTest": TEST}


def is_fer_folder(members: Members) -> bool:
    """Say whether the top level, wrapping folders aside, has folders `train` and `test`."""
    root = inner_root(members, _FOLDERS)
    return {name.lower() for name in members.folders_in(root)} >= _FOLDERS


def read_fer_folder(members: Members, size: int, splitting: Splitting) -> RawFaces:
    """Read FER2013 in Kaggle's folder form.

    Kaggle put PublicTest and PrivateTest together in ``test/``; the prefix of each file's name tells them
    apart.

    Parameters
    ----------
    members
        The folder's or the zip's files.
    size
        Height and width of the images, in pixels.
    splitting
        Used only where there are no PublicTest files.

    Returns
    -------
    RawFaces
        In the order of the files' paths; ids are the files' names without ending, e.g. ``Training_10118481``.

    Raises
    ------
    DataError
        If a class folder's name is unknown, a test file has no split prefix, a class is empty, or a file is
        broken.
    """
    root = inner_root(members, _FOLDERS)
    names: list[str] = []
    places: list[tuple[int, int]] = []
    for top in members.folders_in(root):
        if top.lower() not in _FOLDERS:
            raise DataError(
                f"{members.where(root + top)}: unexpected folder {top!r}; expected only train and test"
            )
        for folder in members.folders_in(f"{root}{top}/"):
            inside = check_class_folder(members, f"{root}{top}/{folder}/")
            label = _label(members, f"{root}{top}/{folder}", folder)
            names += inside
            places += [(_split(members, top, name), label) for name in inside]
    splits, labels = np.array(places, np.int64).reshape(-1, 2).T
    splits = splitting.complete(str(members.path), splits.astype(np.uint8), labels, FER_CLASSES)
    ids = np.array([PurePosixPath(name).stem for name in names], dtype=np.str_)
    return RawFaces(read_grey(members, names, size), labels, splits, ids, FER_CLASSES, "fer2013")


def _label(members: Members, path: str, folder: str) -> int:
    if folder.lower() not in FER_CLASSES:
        raise DataError(f"{members.where(path)}: unknown class {folder!r}; expected {', '.join(FER_CLASSES)}")
    return FER_CLASSES.index(folder.lower())


def _split(members: Members, top: str, name: str) -> int:
    if top.lower() == "train":
        return TRAIN
    prefix = PurePosixPath(name).name.split("_")[0]
    if prefix not in _TEST_PREFIXES:
        raise DataError(
            f"{members.where(name)}: expected a name that begins with PublicTest_ or PrivateTest_, "
            "by which FER2013's test files are split; for faces of your own use data=image_folder"
        )
    return _TEST_PREFIXES[prefix]
