"""The one way to faces: looks at what a path holds, reads it once, and opens it from the cache ever after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Count, CountOrZero, ShareBelowOne, checked
from fer_lightning.data.cache import cached
from fer_lightning.data.detection import find_fer_source, find_image_source
from fer_lightning.data.faces import Allocate, Faces, RawFaces
from fer_lightning.data.fingerprint import digest
from fer_lightning.data.members import legible
from fer_lightning.data.reading import Reading
from fer_lightning.data.splits import Splitting
from fer_lightning.errors import DataError

_FINDERS = {"fer2013": find_fer_source, "image_folder": find_image_source}


@checked("data.")
def load_faces(
    name: Literal["fer2013", "image_folder"],
    path: str | Path | None = None,
    *,
    image_size: Count = 48,
    channels: Literal[1, 3] = 1,
    cache_dir: str | Path | None = None,
    val_fraction: ShareBelowOne = 0.15,
    test_fraction: ShareBelowOne = 0.15,
    split_seed: CountOrZero = 0,
    unreadable: Literal["refuse", "skip"] = "refuse",
    names: str | None = None,
) -> Faces:
    """Give the faces of a source, from the cache if they were read before and the source has not changed.

    Parameters
    ----------
    name
        ``fer2013`` or ``image_folder``.
    path
        The folder, csv or zip. FER2013 may be any of fer2013.csv, icml_face_data.csv, the competition's
        train.csv, Kaggle's folders, a folder that holds one of these, or a zip of one.
    image_size
        Height and width to which faces are brought, in pixels.
    channels
        1 for grey, 3 for colour.
    cache_dir
        Folder of the cache; None stands for the user's, see
        :func:`~fer_lightning.data.cache.default_cache_dir`.
    val_fraction, test_fraction, split_seed
        Of the stratified split, where the source has none of its own.
    unreadable
        ``refuse`` data with pictures that cannot be read, or ``skip`` these.
    names
        What the names of an ``image_folder``'s files say of person and class: see
        :class:`~fer_lightning.data.file_labels.FileNames`.

    Raises
    ------
    DataError
        If the data are missing or are not what was expected.
    """
    how = Reading(image_size, Splitting(val_fraction, test_fraction, split_seed), unreadable, names, channels)
    if not path:
        raise DataError(f"data={name} needs data.path=…: the place of the faces on this machine")
    place = typed_path(path)
    with _readable(place):
        if not place.exists():
            raise DataError(f"data.path={path}: no such file or folder")
        source = _FINDERS[name](place)
        fingerprint = source.fingerprint(source.path)
    # A folder's name is part of its faces, and so of the key; of FER2013 it says nothing.
    named = "" if name == "fer2013" else place.resolve().name
    # What was added later counts where it is not at its default, so that earlier caches stay valid.
    later = [channels] if channels > 1 else []
    key = f"{name}-{digest(fingerprint, named, how, *later)}"

    def build(allocate: Allocate) -> RawFaces:
        with _readable(place):
            return source.read(source.path, replace(how, allocate=allocate))

    return cached(key, build, cache_dir)


@contextmanager
def _readable(place: Path) -> Iterator[None]:
    """Turn an operating-system error (no permission, a broken link) into the user's one line."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{legible(str(error.filename or place))}: cannot be read ({error.strerror})"
        ) from error
