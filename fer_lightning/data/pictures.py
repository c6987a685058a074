"""A person's own pictures by file, folder or pattern, brought to squares; what cannot be read is set apart."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from fer_lightning.config.typed import typed_path
from fer_lightning.data.class_folders import PICTURE_ENDINGS
from fer_lightning.data.decode import decode_all
from fer_lightning.data.members import legible
from fer_lightning.data.system_files import is_system_file, walk


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures that could be read, and why the others could not.

    Attributes
    ----------
    paths
        The N files, legible.
    images
        uint8 levels 0–255: grey ``[N, size, size]`` or colour ``[N, size, size, 3]``.
    problems
        One line for each word or file that gave no picture: which, and why.
    notes
        What was done to pictures that a person may want to know.
    """

    paths: tuple[Path, ...]
    images: np.ndarray
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_pictures(words: Iterable[str | Path]) -> tuple[list[Path], list[str]]:
    """Find the picture files that ``words`` name, each once, in the order of the words.

    A word is a file (of any ending), a folder (all pictures below it, by their endings, in alphabetical order)
    or a pattern with ``*``, ``?`` or ``[…]`` (``**`` reaches into folders, and leaves out links
    that lead back).

    Returns
    -------
    tuple
        The files; and one line for each word that names none.
    """
    found: dict[Path, None] = {}
    problems = []
    for word in words:
        path = typed_path(word)
        if path.exists():
            files = _below(path) if path.is_dir() else [path]
            reason = f"{word}: no picture in this folder; expected {', '.join(PICTURE_ENDINGS)}"
        elif glob.has_magic(str(path)):
            matches = _matches(path)
            files = [file for match in matches for file in (_below(match) if match.is_dir() else [match])]
            reason = f"{word}: no file has a name like this"
        else:
            files, reason = [], f"{word}: no such file or folder"
        if not files:
            problems.append(reason)
        found |= dict.fromkeys(files)
    return list(found), problems


def _matches(pattern: Path) -> list[Path]:
    """Return what a pattern names; with ``**`` without what lies beyond a link to a folder that the link lies in."""
    if "**" not in pattern.parts:
        return sorted(map(Path, glob.glob(str(pattern))))
    first = next(number for number, part in enumerate(pattern.parts) if glob.has_magic(part))
    root, rest = Path(*pattern.parts[:first]), pattern.parts[first:]
    # The standard library's follows such a link forty times; two of them, for ever.
    inside = walk(str(root), []) if root.is_dir() else ()
    return sorted(root / name for name, _ in inside if _fits(name.split("/"), rest))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    head, rest = pattern[0], pattern[1:]
    if head == "**":
        return any(_fits(parts[start:], rest) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], head) and _fits(parts[1:], rest)


def _below(folder: Path) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_ENDINGS and path.is_file())
    return sorted(
        path for path in inside if not any(is_system_file(part) for part in path.relative_to(folder).parts)
    )


def read_pictures(words: Iterable[str | Path], size: int, channels: int = 1) -> Pictures:
    """Read the pictures that ``words`` name (see :func:`find_pictures`) as ``data=image_folder`` reads them.

    Parameters
    ----------
    words
        Files, folders and patterns.
    size
        Height and width to which the pictures are brought, in pixels.
    channels
        1 for grey, 3 for colour.
    """
    files, problems = find_pictures(words)
    decoded = decode_all(
        [str(file) for file in files], lambda number: files[number].read_bytes(), size, channels
    )
    names = [legible(str(file)) for file in files]
    problems = [legible(problem) for problem in problems]
    problems += [f"{names[number]}: {reason}" for number, reason in decoded.problems.items()]
    paths = tuple(Path(names[number]) for number in decoded.kept)
    notes = decoded.notes
    if channels == 1 and decoded.coloured:
        notes = (
            f"{legible(decoded.coloured)}: is in colour and read as grey, as the model takes pictures",
            *notes,
        )
    return Pictures(paths, decoded.images, tuple(problems), notes)
