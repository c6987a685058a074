"""Anybody's own pictures: ``<class>/*`` or ``{train,val,test}/<class>/*``, in a folder or an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_lightning.data.class_folders import (
    ClassFolder,
    find_class_folders,
    inner_root,
    is_document,
    is_picture,
)
from fer_lightning.data.decode import decode_all
from fer_lightning.data.expressions import expression
from fer_lightning.data.faces import RawFaces
from fer_lightning.data.file_labels import FileNames, Labelled, raf_names, read_label_files
from fer_lightning.data.members import Members, legible
from fer_lightning.data.reading import Reading
from fer_lightning.data.splits import UNSPLIT
from fer_lightning.errors import DataError
from fer_lightning.messages import counted

_NAMED_AT_ONCE = 10


@dataclass
class Listing:
    """Pictures by name, before they are read.

    Attributes
    ----------
    pictures
        Name, class and split of each.
    ids
        One for each picture.
    class_names
        In the order of the labels.
    persons
        Who is in each picture, where that is known.
    notes
        What a person may want to know of what was made of the files.
    """

    pictures: list[Labelled]
    ids: list[str]
    class_names: tuple[str, ...]
    persons: list[str] | None = None
    notes: list[str] = field(default_factory=list)


def read_image_folder(members: Members, how: Reading) -> RawFaces:
    """Read pictures of any size and colour mode, sorted into one folder a class.

    Parameters
    ----------
    members
        The folder's or the archive's files. Every file below a class folder is taken for a
        picture, but for notes and tables by their endings.
    how
        Its splitting is used where there are no split folders, or none for validation.

    Returns
    -------
    RawFaces
        Named after the folder or archive; classes in alphabetical order; ids are the files' paths below the top
        level.

    Raises
    ------
    DataError
        If there are no class folders or only one class, a class is empty or missing from a split, split
        folders and other folders are mixed, pictures lie outside the class folders, or a file is broken.
    """
    root = inner_root(members)
    notes: list[str] = []
    pictures = read_label_files(members) or _by_name_or_folder(members, how.names, notes)
    files = [picture for picture, _, _ in pictures]
    file_names = FileNames(how.names, files)
    renamed = raf_names({name for _, name, _ in pictures}, files)
    pictures = [(picture, renamed.get(name, name), split) for picture, name, split in pictures]
    pictures = _in_one_spelling(pictures, notes)
    class_names = tuple(sorted({name for _, name, _ in pictures}))
    if len(class_names) < 2:
        raise DataError(
            f"{members.path}: found {counted(len(class_names), 'class', 'classes')} ({', '.join(class_names)}); "
            "expected at least 2, or data.names=… to read classes off names"
        )
    ids = [legible(name[len(root) :]) for name in files]
    listing = Listing(pictures, ids, class_names, file_names.persons(files), notes)
    path = members.path.resolve()
    return read_listing(members, listing, how, path.name if path.is_dir() else _stem(path.name))


def _stem(name: str) -> str:
    """Return an archive's name without its ending, ``.tar.gz`` included."""
    stem = name.rsplit(".", 1)[0]
    return stem.removesuffix(".tar") or stem


def read_listing(members: Members, listing: Listing, how: Reading, name: str) -> RawFaces:
    """Decode listed pictures, leave out what cannot be read if that is wanted, and split the others.

    Raises
    ------
    DataError
        Pictures cannot be read, or a class is missing from a split.
    """

    def read(number: int) -> bytes:
        with members.open(listing.pictures[number][0]) as file:
            return file.read()

    decoded = decode_all(listing.ids, read, how.size, how.channels, how.allocate)
    problems = [f"{listing.ids[i]}: {why}" for i, why in decoded.problems.items()]
    if problems and how.unreadable == "refuse":
        first, why = next(iter(decoded.problems.items()))
        if len(problems) == 1:
            where = members.where(listing.pictures[first][0])
            raise DataError(
                f"{where}: {why}; expected a whole image file, or data.unreadable=skip to leave it out"
            )
        raise DataError(_refusal(legible(str(members.path)), problems, len(listing.ids)))
    kept = [listing.pictures[i] for i in decoded.kept]
    labels = np.array([listing.class_names.index(label) for _, label, _ in kept], np.int64)
    splits = np.array([split for _, _, split in kept], np.uint8)
    persons = None if listing.persons is None else np.array(listing.persons, np.str_)[decoded.kept]
    notes = [*members.notes, *listing.notes, *how.colour_notes(decoded.coloured), *decoded.notes]
    splits = how.splitting.complete(
        legible(str(members.path)), splits, labels, listing.class_names, persons, notes, of="person"
    )
    ids = np.array(listing.ids, dtype=np.str_)[decoded.kept]
    return RawFaces(
        decoded.images,
        labels,
        splits,
        ids,
        listing.class_names,
        legible(name),
        False,
        tuple(notes),
        tuple(problems),
        group=persons,
    )


def _refusal(where: str, problems: Sequence[str], count: int) -> str:
    shown = "; ".join(problems[:_NAMED_AT_ONCE])
    more = len(problems) - _NAMED_AT_ONCE
    return (
        f"{where}: {len(problems):,} of {count:,} pictures cannot be read: {shown}"
        f"{f'; and {more:,} more' if more > 0 else ''}; expected whole image files, or data.unreadable=skip to leave "
        "them out"
    )


def _in_one_spelling(pictures: list[Labelled], notes: list[str]) -> list[Labelled]:
    """Call classes that each split spells in its own way (``angry``, ``Anger``) as the training faces call them."""
    spelled: dict[str, dict[int, set[str]]] = {}
    for _, name, split in pictures:
        spelled.setdefault(expression(name) or name.casefold(), {}).setdefault(split, set()).add(name)
    renamed = {
        name: next(iter(by_split[min(by_split)]))
        for by_split in spelled.values()
        if all(len(names) == 1 for names in by_split.values())
        for (name,) in by_split.values()
    }
    changed = sorted(f"{name} is taken for {renamed[name]}" for name in renamed if renamed[name] != name)
    if changed:
        notes.append(f"classes are called as in the training faces: {', '.join(changed)}")
    return [(picture, renamed.get(name, name), split) for picture, name, split in pictures]


def _by_name_or_folder(members: Members, pattern: str | None, notes: list[str]) -> list[Labelled]:
    """List the pictures by the classes in their names, where these say more than the folders, or by their folders."""
    pictures = [name for name in members.files if is_picture(name)]
    names = FileNames(pattern, pictures)
    if names.has_classes:
        labels = {picture: names.label(picture) for picture in pictures}
        by_folder: dict[str, set[str]] = {}
        for picture, label in labels.items():
            by_folder.setdefault(picture.rpartition("/")[0], set()).add(label)
        if any(len(found) > 1 for found in by_folder.values()):
            notes.append(f"classes are read off the files' names, which are those of {names.source}")
            return [(picture, label, UNSPLIT) for picture, label in labels.items()]
    return [
        (name, place.class_name, place.split)
        for place, inside in class_pictures(members, notes)
        for name in inside
    ]


def class_pictures(members: Members, notes: list[str]) -> list[tuple[ClassFolder, list[str]]]:
    """Give each class folder with the names of the pictures below it.

    Parameters
    ----------
    notes
        What is left out is added here, such as notes and tables beside the pictures.

    Raises
    ------
    DataError
        As of :func:`~fer_lightning.data.class_folders.find_class_folders`; or a folder holds no picture.
    """
    found = [(place, _check_class_folder(members, place)) for place in find_class_folders(members, notes)]
    if documents := [name for _, inside in found for name in inside if is_document(name)]:
        first = legible(documents[0])
        notes.append(
            f"left out, for they are no pictures: {counted(len(documents), 'file')} (the first is {first})"
        )
    return [(place, [name for name in inside if not is_document(name)]) for place, inside in found]


def _check_class_folder(members: Members, place: ClassFolder) -> list[str]:
    """Give the names of all files below a class folder.

    Raises
    ------
    DataError
        If there are none, or none can be a picture.
    """
    inside = members.below(place.prefix)
    folder = members.where(place.prefix.rstrip("/"))
    if not inside:
        raise DataError(f"{folder}: class {place.class_name!r} is empty; expected at least one image")
    if not any(is_picture(name) or "." not in name.rpartition("/")[2] for name in inside):
        raise DataError(
            f"{folder}: holds no picture ({legible(inside[0].rpartition('/')[2])} …); expected folders of pictures, "
            "one for each class, and no other folder beside them"
        )
    return inside
