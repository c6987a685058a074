"""Files and folders that operating systems, storage devices and synchronizing programs leave beside a person's own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

_SYSTEM = re.compile(
    r"""
    \..*                                                                            # hidden
    | __macosx | icon[\r\uf00d] | desktop\ d[bf] | network\ trash\ folder | temporary\ items | __pycache__
    | (eh)?thumbs(_vista)?\.db(:.*)? | desktop\.ini | \$recycle\.bin | recycle[dr] | \$extend | found\.\d{3}
    | system\ volume\ information | wpsettings\.dat | indexervolumeguid | .+[:\uf03a]zone\.identifier
    | lost\+found | \#recycle | \#snapshot | @eadir | @recycle | @recently-snapshot | @tmp | @sharesnap | @sharebin
    | picasa\.ini | zbthumbnail\.info | ~\$.* | .+~ | .+\.(part|partial|crdownload|tmp)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_system_file(part: str) -> bool:
    """Say whether a file or folder, by its name, is hidden or was left by a system rather than by a person."""
    return _SYSTEM.fullmatch(part) is not None


def walk(
    folder: str, loops: list[str], prefix: str = "", above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield a person's own files and folders below a folder, each with its relative name.

    Links are followed, but for those to a folder that they lie in: these are added to `loops` by name.
    """
    above |= {os.path.realpath(folder)}
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_system_file(entry.name):
                continue
            name = prefix + entry.name
            if entry.is_dir() and os.path.realpath(entry.path) in above:
                loops.append(name)
                continue
            yield name, entry
            if entry.is_dir():
                yield from walk(entry.path, loops, f"{name}/", above)
