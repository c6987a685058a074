"""A fingerprint of the user's own code: which of their files a configuration runs, and what is in them."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_lightning.runs.own_code import OwnModule, imported_names, own_modules

_LOOKUPS = ("hydra.utils.get_class", "hydra.utils.get_method", "hydra.utils.get_object")
_SHOWN = 3


def find_targets(node: Any, left_out: Collection[str] = (), path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the key and the value of every ``_target_`` at or below a plain node, and of what `get_class` looks up.

    Parameters
    ----------
    node
        Plain containers.
    left_out
        Dotted keys that are passed over with everything below them.
    path
        Dotted key of `node`.
    """
    if path in left_out and path:
        return
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from find_targets(item, left_out, f"{path}[{number}]")
    if not isinstance(node, Mapping):
        return
    prefix = f"{path}." if path else ""
    names = ("_target_", "path") if node.get("_target_") in _LOOKUPS else ("_target_",)
    for name in names:
        if isinstance(node.get(name), str):
            yield f"{prefix}{name}", node[name]
    for key, item in node.items():
        yield from find_targets(item, left_out, f"{prefix}{key}")


def task_target(task: Callable[..., Any]) -> str:
    """Return the dotted name of a program's task function, whatever it is wrapped in."""
    while True:
        inner = inspect.unwrap(task)
        inner = inner.func if isinstance(inner, functools.partial) else inner
        if inner is task:
            break
        task = inner
    named = task if hasattr(task, "__qualname__") else type(task)
    return f"{named.__module__}.{named.__qualname__}"


def code_fingerprint(targets: Iterable[str]) -> dict[str, str]:
    """Return a digest of every own file that the targets are imported from, those that these import included.

    What decides is a file's text, comments and all, whatever its line endings. Files of Python, of installed
    packages and of this one are left out; so are files that a program reads, and modules that it imports by a
    computed name. Asked again, a process gives the digests of what it has loaded, not of what was saved since.

    Parameters
    ----------
    targets
        Dotted names, as in ``_target_``.

    Returns
    -------
    dict
        16 hex digits of a file's SHA-256, by its path below the folder from which it is imported.
    """
    waiting = [module for target in dict.fromkeys(targets) for module in own_modules(target)]
    found: dict[Path, _File] = {}
    named: dict[str, str] = {}
    while waiting:
        module = waiting.pop()
        if module.path in found:
            continue
        found[module.path] = file = _read(module)
        named[module.file_name] = file.digest
        waiting += file.imports
    return dict(sorted(named.items()))


@dataclass
class _File:
    digest: str
    imports: list[OwnModule]
    stamp: tuple[int, int] | None
    loaded: object | None


_files: dict[Path, _File] = {}


def _read(module: OwnModule) -> _File:
    """Read a file, or return what is known of it as long as its module is loaded or the file is as it was."""
    known, loaded = _files.get(module.path), _loaded(module)
    if known is not None and loaded is not None and known.loaded is loaded:
        return known
    stamp = _stamp(module.path)
    if known is not None and stamp is not None and known.stamp == stamp:
        known.loaded = loaded
        return known
    try:
        content = module.path.read_bytes()
    except OSError:
        return _File("unreadable", [], None, None)
    names = imported_names(module, content)
    if module.path.suffix in (".py", ".pyw"):
        # Git may check a text out with other line endings.
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    imports = dict.fromkeys(found for name in names for found in own_modules(name))
    digest = hashlib.sha256(content).hexdigest()[:16]
    _files[module.path] = _File(digest, list(imports), stamp, loaded)
    return _files[module.path]


def _loaded(module: OwnModule) -> object | None:
    """Return what stands for the loading of a module in this process: another one after it was reloaded."""
    main = sys.modules["__main__"]
    if getattr(main, "__file__", None) == str(module.path):
        return main
    return getattr(sys.modules.get(module.name), "__spec__", None)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return what became of each file that differs: "has changed", "is new" or "is missing".

    A file that has only moved, because a program is started in another way, is no difference.
    """
    found = {name: "has changed" for name in sorted(before) if name in now and before[name] != now[name]}
    found |= {
        name: "is new" for name in sorted(now) if name not in before and now[name] not in before.values()
    }
    found |= {
        name: "is missing" for name in sorted(before) if name not in now and before[name] not in now.values()
    }
    return found


def in_words(found: Mapping[str, str]) -> str:
    """Return differences as a part of a sentence that names the first three."""
    return listed([f"{name} {what}" for name, what in found.items()])


def listed(words: Sequence[str], between: str = ", ") -> str:
    """Return the first three words and the number of the others."""
    more = len(words) - _SHOWN
    return between.join(words[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
