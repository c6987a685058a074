"""The one way to faces: looks at what a path holds, reads it once, and opens it from the cache ever after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Count, CountOrZero, ShareBelowOne, checked
from fer_lightning.data.cache import cached
from fer_lightning.data.detection import find_fer_source, find_image_source
from fer_lightning.data.faces import Faces, RawFaces
from fer_lightning.data.fer_plus import LabelMode, with_votes
from fer_lightning.data.file_list import find_list_source
from fer_lightning.data.fingerprint import digest, file_fingerprint
from fer_lightning.data.members import legible
from fer_lightning.data.npz import find_array_source
from fer_lightning.data.picture_arrays import Allocate
from fer_lightning.data.reading import Reading
from fer_lightning.data.splits import Splitting
from fer_lightning.errors import ConfigError, DataError

_FINDERS = {
    "fer2013": find_fer_source,
    "image_folder": find_image_source,
    "arrays": find_array_source,
    "file_list": find_list_source,
}


@checked("data.")
def load_faces(
    name: Literal["fer2013", "image_folder", "arrays", "file_list"],
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
    labels: str | Path | None = None,
    label_mode: LabelMode = "majority",
) -> Faces:
    """Give the faces of a source, from the cache if they were read before and the source has not changed.

    Parameters
    ----------
    name
        ``fer2013``, ``image_folder``, ``arrays`` or ``file_list``.
    path
        The folder, csv, zip or npz. FER2013 may be any of fer2013.csv, icml_face_data.csv, the competition's
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
    labels, label_mode
        FER+'s ``fer2013new.csv``, and how its votes become labels: see :func:`~fer_lightning.data.fer_plus.with_votes`.

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
    later: list[Any] = [channels] if channels > 1 else []
    if name == "image_folder":
        later.append("group")  # who is in a picture; earlier caches did not keep it
    votes = typed_path(labels) if labels else None
    if votes is not None:
        with _readable(votes):
            later += [file_fingerprint(votes), label_mode]
    elif label_mode != "majority":
        raise ConfigError(
            f"data.label_mode={label_mode}: needs the votes; expected data.labels=…/fer2013new.csv"
        )
    key = f"{name}-{digest(fingerprint, named, how, *later)}"

    def build(allocate: Allocate) -> RawFaces:
        with _readable(place):
            raw = source.read(source.path, replace(how, allocate=allocate, votes=votes))
            return raw if votes is None else with_votes(raw, votes, label_mode)

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
