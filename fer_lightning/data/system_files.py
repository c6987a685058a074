"""Files and folders that operating systems, storage devices and synchronizing programs leave beside a person's own."""

from __future__ import annotations

import re

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
