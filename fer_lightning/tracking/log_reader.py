"""Read a W&B run's own log (``run-ID.wandb``), whole or cut off by a kill, without an account or a server.

The file is LevelDB's log format (blocks of 32 KiB; a record is a CRC-32, a length and a type; see
https://github.com/google/leveldb/blob/main/doc/log_format.md) with protobuf records inside.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_lightning.errors import DataError

BLOCK = 32768
FILE_HEADER = struct.Struct("<4sHB")
RECORD_HEADER = struct.Struct("<IHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class WandbLog:
    """What a run's log says.

    Attributes
    ----------
    history
        One mapping a ``log()`` call; nested keys are joined by dots, as ``wandb leet`` shows them.
    summary
        The last value of each key.
    exit_code
        ``None`` for a run that has not ended, or was killed.
    """

    path: Path
    run_id: str = ""
    name: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    started: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None


def frames(content: bytes) -> Iterator[bytes]:
    """Yield the records of a log file in order; ends at the first one that is cut off or damaged.

    Raises
    ------
    ValueError
        The content does not begin as W&B's logs do.
    """
    if len(content) < FILE_HEADER.size or FILE_HEADER.unpack_from(content)[:2] != (b":W&B", 0xBEE1):
        raise ValueError("no log of Weights & Biases")
    position, parts = FILE_HEADER.size, b""
    while position + RECORD_HEADER.size <= len(content):
        left = BLOCK - position % BLOCK
        if left < RECORD_HEADER.size:
            position += left
            continue
        checksum, length, kind = RECORD_HEADER.unpack_from(content, position)
        start = position + RECORD_HEADER.size
        data = content[start : start + length]
        if kind not in (FULL, FIRST, MIDDLE, LAST) or len(data) < length:
            return
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
            return
        position = start + length
        parts = data if kind in (FULL, FIRST) else parts + data
        if kind in (FULL, LAST):
            yield parts


def read_wandb_log(path: str | Path) -> WandbLog:
    """Read a run's log up to where it is whole.

    Raises
    ------
    DataError
        The file is missing, or no log of W&B.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2

    found = WandbLog(Path(path))
    try:
        for data in frames(found.path.read_bytes()):
            record: Any = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(data)
            _apply(found, record)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    except DecodeError:
        pass
    return found


def _apply(found: WandbLog, record: Any) -> None:
    """Take over what one record says."""
    kind = record.WhichOneof("record_type")
    if kind == "run":
        _apply_run(found, record.run)
    elif kind == "config":
        _apply_config(found, record.config)
    elif kind == "summary":
        _apply_summary(found, record.summary)
    elif kind == "history":
        found.history.append({_key(item): _value(item.value_json) for item in record.history.item})
    elif kind == "exit":
        found.exit_code = record.exit.exit_code


def _apply_run(found: WandbLog, run: Any) -> None:
    found.run_id, found.name, found.project = run.run_id, run.display_name, run.project
    found.group, found.job_type, found.notes = run.run_group, run.job_type, run.notes
    found.tags = tuple(run.tags)
    found.started = run.start_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
    _apply_config(found, run.config)
    _apply_summary(found, run.summary)


def _apply_config(found: WandbLog, config: Any) -> None:
    for item in config.update:
        *above, last = list(item.nested_key) or [item.key]
        if (above or [last])[0] == "_wandb":
            continue
        node = found.config
        for key in above:
            node = node.setdefault(key, {})
        node[last] = _value(item.value_json)
    for item in config.remove:
        found.config.pop(item.key, None)


def _apply_summary(found: WandbLog, summary: Any) -> None:
    for item in summary.update:
        found.summary[_key(item)] = _value(item.value_json)
    for item in summary.remove:
        found.summary.pop(_key(item), None)


def _key(item: Any) -> str:
    return ".".join(item.nested_key) or str(item.key)


def _value(text: str) -> Any:
    """Return a value; ``NaN`` and infinities are texts in W&B's JSON."""
    value = json.loads(text) if text else None
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value
