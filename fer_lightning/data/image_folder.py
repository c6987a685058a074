"""Anybody's own pictures: ``<class>/*`` or ``{train,val,test}/<class>/*``, in a folder or a zip."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.decode import read_grey
from fer_lightning.data.faces import RawFaces
from fer_lightning.data.members import Members, check_class_folder, inner_root
from fer_lightning.data.splits import TEST, TRAIN, UNSPLIT, VAL, Splitting
from fer_lightning.errors import DataError

_SPLIT_FOLDERS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VAL,
    "valid": VAL,
    "validation": VAL,
    "test": TEST,
    "testing": TEST,
}
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def read_image_folder(members: Members, size: int, splitting: Splitting) -> RawFaces:
    """Read pictures of any size and colour mode, sorted into one folder a class.

    Parameters
    ----------
    members
        The folder's or the zip's files. Every file below a class folder is taken for a picture.
    size
        Height and width to which the pictures are brought, in pixels.
    splitting
        Used where there are no split folders, or none for validation.

    Returns
    -------
    RawFaces
        Named after the folder or zip; classes in alphabetical order; ids are the files' paths below the top
        level.

    Raises
    ------
    DataError
        If there are no class folders or only one class, a class is empty or missing from a split, split
        folders and other folders are mixed, pictures lie outside the class folders, or a file is broken.
    """
    root = inner_root(members, frozenset(_SPLIT_FOLDERS))
    places = _class_folders(members, root)
    class_names = tuple(sorted({class_name for _, class_name, _ in places}))
    if len(class_names) < 2:
        raise DataError(
            f"{members.path}: found {len(class_names)} class folders {class_names}; expected at least 2"
        )
    names, splits, labels = [], [], []
    for split, class_name, prefix in places:
        inside = check_class_folder(members, prefix)
        names += inside
        splits += [split] * len(inside)
        labels += [class_names.index(class_name)] * len(inside)
    label_array = np.array(labels, np.int64)
    split_array = splitting.complete(str(members.path), np.array(splits, np.uint8), label_array, class_names)
    ids = np.array([name[len(root) :] for name in names], dtype=np.str_)
    path = members.path.resolve()
    name = path.name if path.is_dir() else path.stem
    return RawFaces(read_grey(members, names, size), label_array, split_array, ids, class_names, name)


def _class_folders(members: Members, root: str) -> list[tuple[int, str, str]]:
    """Give split, class name and prefix of every class folder."""
    top = members.folders_in(root)
    named = [name for name in top if name.lower() in _SPLIT_FOLDERS]
    if not named:
        _check_no_loose_pictures(members, root)
        return [(UNSPLIT, name, f"{root}{name}/") for name in top]
    if len(named) < len(top):
        other = next(name for name in top if name not in named)
        raise DataError(
            f"{members.where(root + other)}: folder {other!r} stands beside split folders "
            f"({', '.join(named)}); expected either split folders or class folders"
        )
    if TRAIN not in {_SPLIT_FOLDERS[name.lower()] for name in named}:
        raise DataError(f"{members.path}: split folders {', '.join(named)} without one called train")
    only_train = all(_SPLIT_FOLDERS[name.lower()] == TRAIN for name in named)
    places = []
    for name in named:
        split = UNSPLIT if only_train else _SPLIT_FOLDERS[name.lower()]
        _check_no_loose_pictures(members, f"{root}{name}/")
        places += [
            (split, folder, f"{root}{name}/{folder}/") for folder in members.folders_in(f"{root}{name}/")
        ]
    return places


def _check_no_loose_pictures(members: Members, prefix: str) -> None:
    for name in members.files_in(prefix):
        if name.lower().endswith(PICTURE_ENDINGS):
            raise DataError(
                f"{members.where(prefix + name)}: lies in no class folder; expected <class>/{name}"
            )
