"""Faces from arrays: pictures and labels, and what else is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_lightning.data.class_folders import split_of
from fer_lightning.data.decode import fit_into
from fer_lightning.data.faces import SPLITS, Faces, RawFaces
from fer_lightning.data.fingerprint import content_fingerprint
from fer_lightning.data.picture_arrays import picture_shape
from fer_lightning.data.reading import Reading
from fer_lightning.data.splits import UNSPLIT
from fer_lightning.errors import DataError

_SUM_TOLERANCE = 1e-3


def arrange(
    images: Any,
    labels: Any,
    *,
    ids: Any = None,
    group: Any = None,
    split: Any = None,
    class_names: Any = None,
    where: str = "arrays",
    name: str = "arrays",
    how: Reading,
) -> RawFaces:
    """Bring arrays to faces.

    Parameters
    ----------
    images
        uint8 ``[N, H, W]`` or ``[N, H, W, 3]``, levels 0–255.
    labels
        int ``[N]``, indices into ``class_names``; str ``[N]``, the classes' names; or float ``[N, K]``, the
        probability of each class.
    ids
        str ``[N]``, each once; the pictures' numbers if None.
    group
        ``[N]``: faces of one group, such as a person's, come into one split.
    split
        str ``[N]``: train, val or test; empty for faces that are to be dealt.
    class_names
        str ``[K]``; needed for names other than those in ``labels``.
    where, name
        Of the data, for messages and for reports.
    how
        Size, channels and splitting.

    Raises
    ------
    DataError
        An array has not the expected type, shape or values.
    """
    check_pictures(images, where)
    count = len(images)
    names, indices, targets = _classes(labels, class_names, count, where)
    splits = _splits(split, count, where)
    groups = None if group is None else _words(group, "group", count, where)
    width = len(str(count - 1))
    known = (
        [f"{number:0{width}d}" for number in range(count)]
        if ids is None
        else _words(ids, "ids", count, where)
    )
    known = np.array(known, np.str_)
    values, counts = np.unique(known, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"{where}: ids: {str(values[counts.argmax()])!r} stands {counts.max()} times; expected each once"
        )
    notes: list[str] = []
    splits = how.splitting.complete(where, splits, indices, names, groups, notes)
    room = how.allocate(picture_shape(count, how.size, how.channels))
    coloured = fit_into(images, room, how.size, how.channels)
    notes = [*how.colour_notes("" if coloured is None else str(known[coloured])), *notes]
    return RawFaces(room, indices, splits, known, names, name, False, tuple(notes), (), groups, targets)


def check_pictures(images: Any, where: str) -> None:
    """Refuse what is no array of pictures.

    Raises
    ------
    DataError
        Another type or shape than uint8 ``[N, H, W]`` or ``[N, H, W, 3]``, or no pictures.
    """
    shape = tuple(images.shape)
    if images.dtype != np.uint8 or not (len(shape) == 3 or shape[3:] == (3,)) or 0 in shape:
        raise DataError(f"{where}: images: {images.dtype} {shape}; expected uint8 [N, H, W] or [N, H, W, 3]")


def as_faces(raw: RawFaces) -> Faces:
    """Return faces that lie in memory as those of the cache do."""
    labels, splits = raw.labels.astype(np.int64), raw.splits.astype(np.uint8)
    return Faces(
        raw.images,
        labels,
        splits,
        raw.ids,
        raw.class_names,
        content_fingerprint(raw.images, labels, splits, raw.class_names, raw.targets),
        raw.name,
        raw.synthetic,
        raw.notes,
        raw.unreadable,
        raw.group,
        raw.targets,
    )


def _classes(
    labels: Any, class_names: Any, count: int, where: str
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """Return the classes' names, the label of each face, and the probabilities where labels are such."""
    labels = np.asarray(labels)
    given = None if class_names is None else tuple(str(name) for name in np.asarray(class_names).reshape(-1))
    if labels.ndim == 2 and labels.dtype.kind == "f":
        return _probabilities(labels, given, count, where)
    if labels.shape != (count,) or labels.dtype.kind not in "iuU":
        raise DataError(
            f"{where}: labels: {labels.dtype} {labels.shape}; expected whole numbers or names [{count}], or "
            f"probabilities [{count}, classes]"
        )
    if labels.dtype.kind == "U":
        names = given or ordered(labels.tolist())
        unknown = sorted(set(labels.tolist()) - set(names))
        if unknown:
            raise DataError(f"{where}: labels: {unknown[0]!r} is none of class_names ({', '.join(names)})")
        return names, np.array([names.index(label) for label in labels.tolist()], np.int64), None
    names = given or tuple(map(str, range(int(labels.max()) + 1)))
    wrong = np.flatnonzero((labels < 0) | (labels >= len(names)))
    if len(wrong):
        raise DataError(
            f"{where}: labels[{wrong[0]}] is {labels[wrong[0]]}; expected an index of a class, 0 to {len(names) - 1}"
        )
    return names, labels.astype(np.int64), None


def _probabilities(
    labels: np.ndarray, given: tuple[str, ...] | None, count: int, where: str
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    names = given or tuple(map(str, range(labels.shape[1])))
    if labels.shape != (count, len(names)):
        raise DataError(f"{where}: labels: {labels.shape}; expected probabilities ({count}, {len(names)})")
    sums = labels.sum(axis=1)
    wrong = np.flatnonzero(~((labels >= 0).all(axis=1) & (np.abs(sums - 1) <= _SUM_TOLERANCE)))
    if len(wrong):
        raise DataError(
            f"{where}: labels[{wrong[0]}] adds up to {sums[wrong[0]]:g}; expected probabilities of classes, "
            "which add up to 1"
        )
    return names, labels.argmax(axis=1), labels.astype(np.float32)


def ordered(names: Sequence[str]) -> tuple[str, ...]:
    """Return each name once, in the order of the alphabet, or of the numbers if all of them are such."""
    found = set(names)
    return tuple(sorted(found, key=int) if all(name.isdecimal() for name in found) else sorted(found))


def _words(values: Any, key: str, count: int, where: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (count,) or values.dtype.kind not in "iuU":
        raise DataError(
            f"{where}: {key}: {values.dtype} {values.shape}; expected names or whole numbers [{count}]"
        )
    return values.astype(np.str_)


def _splits(given: Any, count: int, where: str) -> np.ndarray:
    if given is None:
        return np.full(count, UNSPLIT, np.uint8)
    words = _words(given, "split", count, where)
    known = {word: UNSPLIT if not word else split_of(word) for word in set(words.tolist())}
    for position, word in enumerate(words.tolist()):
        if known[word] is None:
            raise DataError(
                f"{where}: split[{position}] is {word!r}; expected {', '.join(SPLITS)}, or '' to deal it"
            )
    return np.array([known[word] for word in words.tolist()], np.uint8)
