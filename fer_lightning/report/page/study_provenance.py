"""Where a study's numbers come from: data, versions, machine, commands, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fer_lightning.data.label import data_label

Records = Sequence[Mapping[str, Any]]
MACHINE = ("processor", "threads a run", "graphics cards", "commit", "program")
"""Facts of the machine and of the code on it."""


def _each(values: Sequence[Any]) -> str:
    """The distinct values; where they differ, with the number of runs that have each; empty where there is none."""
    counts = Counter(str(value) for value in values if value not in (None, ""))
    if len(counts) <= 1:
        return next(iter(counts), "")
    return ", ".join(f"{value} ({n} run{'s' * (n > 1)})" for value, n in counts.most_common())


def data_facts(records: Records) -> list[tuple[str, str]]:
    """Name, whether the faces are synthetic, faces of each split and the fingerprint, as label and text, if known."""
    data = [record["data"] for record in records if record.get("data")]
    faces = [
        ", ".join(f"{count:,} {split}" for split, count in (row.get("faces") or {}).items()) for row in data
    ]
    synthetic = any(row.get("synthetic") for row in data)
    name = _each([row.get("name") for row in data])
    return _known(
        ("data", data_label(name, synthetic)),
        ("faces", _each(faces)),
        ("trained on", _each([f"{row['trained_on']:,}" for row in data if "trained_on" in row])),
        ("fingerprint", _each([row.get("fingerprint") for row in data])),
    )


def _known(*facts: tuple[str, str]) -> list[tuple[str, str]]:
    """Leave out what the runs do not say: another program's say nothing of data or of a machine."""
    return [(label, text) for label, text in facts if text]


def machine_facts(records: Records) -> list[tuple[str, str]]:
    """Processor, cores, threads, graphics cards, and the code's commit, if known."""
    machines = [record["machine"] for record in records if record.get("machine")]
    facts = [
        ("processor", _each([f"{m.get('processor')}, {m.get('cores')} cores" for m in machines])),
        ("threads a run", _each([m.get("threads") for m in machines])),
    ]
    cards = [", ".join(m["gpus"]) for m in machines if m.get("gpus")]
    if cards:
        facts.append(("graphics cards", _each(cards)))
    commits = [
        f"{git['commit'][:10]}{' with uncommitted changes' if git.get('changed') else ''}"
        for record in records
        if (git := record.get("git")) and git.get("commit")
    ]
    return _known(*facts, ("commit", _each(commits)))


def version_facts(records: Records, origin: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each package with its version; several where the runs' versions differ.

    `origin` is what the sweeper has kept of the study's last command, for runs without a record.
    """
    versions = [record["versions"] for record in records if record.get("versions")]
    versions = versions or [origin.get("versions", {})]
    names = dict.fromkeys(name for row in versions for name in row)
    return [(name, _each([row.get(name) for row in versions])) for name in names]


def latest_command(records: Records, origin: Mapping[str, Any]) -> str | None:
    """The command that made the latest run: those before it differ in what a study leaves free, such as its size."""
    recorded = next((str(record["command"]) for record in reversed(records) if record.get("command")), None)
    return recorded or origin.get("command")


def program_facts(records: Records, origin: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The program of a study whose runs have no records of their own: its file and its function."""
    return [] if any(records) else _known(("program", str(origin.get("program", ""))))


def notes(records: Records) -> list[str]:
    """What people wrote beside the runs, each text once."""
    return list(dict.fromkeys(str(record["note"]) for record in records if record.get("note")))


def started(records: Records, stored: Sequence[datetime]) -> str:
    """When the first and the last run began (UTC); `stored` are the study's own times, for runs without a record."""
    times = sorted(str(record["started"]) for record in records if record.get("started"))
    times = times or sorted(time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for time in stored)
    shown = [time.replace("T", " ").removesuffix("Z") for time in times]
    if not shown:
        return ""
    return f"{shown[0]} UTC" if len(shown) == 1 else f"{shown[0]} to {shown[-1]} UTC"
