"""Files that are either whole or absent."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fer_lightning.errors import ConfigError


def require_writable(place: str | Path, key: str, *, is_file: bool = False) -> None:
    """Check that a file or folder can be written, before the work whose result goes there; nothing is made.

    Raises
    ------
    ConfigError
        What is there is of the other kind, or the folder above takes no files.
    """
    path = Path(os.path.expanduser(place))
    if path.exists() and path.is_dir() == is_file:
        there, expected = ("a folder", "a file") if is_file else ("a file", "a folder")
        raise ConfigError(f"{key}={place}: is {there}; expected {expected}")
    above = path.parent if is_file else path
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise ConfigError(f"{key}={place}: {above} is a file; expected a folder to write to")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"{key}={place}: {above} cannot be written; expected a folder of yours")


def require_plain(place: str | Path, key: str) -> None:
    """Check that the path of a run's folder or checkpoint means itself to Hydra and to Lightning.

    Raises
    ------
    ConfigError
        Hydra would resolve a part of it, or fsspec, by which Lightning opens files, would write elsewhere.
    """
    for mark, reader in (("${", "Hydra"), ("::", "Lightning")):
        if mark in os.path.abspath(place):
            raise ConfigError(
                f"{key}={place}: {reader} reads the {mark} in its path; expected a path without"
            )


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader, or a kill, never meets half of it."""
    with replaced(path) as partial:
        # Bytes of a path that are no UTF-8 as \\udcf6, which JSON and YAML read back.
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays to ``path`` as a compressed ``.npz``, whole or not at all."""
    with replaced(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def json_text(value: Any) -> str:
    """Return plain values as indented JSON with a line's end."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write plain values to ``path`` as indented JSON, whole or not at all."""
    write_text(path, json_text(value))


def yaml_text(value: Any) -> str:
    """Return plain values as YAML that OmegaConf reads back as they are.

    libyaml writes it, which takes a tenth of the time of PyYAML's own writer, but takes no bytes that are no UTF-8.
    """
    options: Any = {"default_flow_style": False, "allow_unicode": True, "sort_keys": False}
    try:
        return str(yaml.dump(value, Dumper=_FAST, **options))
    except UnicodeEncodeError:
        return str(yaml.dump(value, Dumper=_ANY, **options))


def _dumper(base: Any) -> Any:
    """Return a dumper that quotes a text that a reader of YAML would take for something else."""
    # What occurs twice is written twice.
    kind: Any = type("_Dumper", (base,), {"ignore_aliases": lambda self, data: True})
    # What PyYAML reads as text, but OmegaConf as a number and others as true or false; any tag but text's quotes it.
    kind.add_implicit_resolver(
        "tag:yaml.org,2002:null",
        re.compile(r"[-+.0-9][0-9_.]*[eE][-+]?[0-9]+$|[yYnN]$"),
        list("-+.0123456789yYnN"),
    )
    return kind


_FAST, _ANY = _dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)), _dumper(yaml.SafeDumper)
