"""What the reader of a report must know of a study's code: that it changed while the study was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fer_lightning.messages import counted
from fer_lightning.runs.code_fingerprint import differences, listed
from fer_lightning.sweeps.study.code import code_versions
from fer_lightning.sweeps.study.results import Trial

if TYPE_CHECKING:
    import optuna

_FINISHED = ("COMPLETE", "PRUNED", "FAIL")


def code_notes(study: optuna.Study, trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return a note if a study's trials were made with different code; none if all had the same.

    Parameters
    ----------
    study, trials
        The study and all of its trials.
    """
    versions = code_versions(study)
    records = {trial.number: trial.run.record for trial in trials if not trial.superseded}
    parts = _accepted_changes(versions, sum(trial.state in _FINISHED for trial in trials))
    parts += [
        f"trial {number} was continued after {listed(record['code_changed'])} had changed"
        for number, record in records.items()
        if record.get("code_changed")
    ]
    if not parts:
        # The jobs of a cluster read the code when they begin, which may be long after the study was opened.
        differing = _with_several_contents(record.get("code", {}) for record in records.values())
        parts = [f"{listed(differing)} changed while the study ran"] if differing else []
    return (f"runs of this study were made with different code ({listed(parts, '; ')})",) if parts else ()


def _accepted_changes(versions: Sequence[Mapping[str, Any]], finished: int) -> list[str]:
    """Return what changed between the versions with which at least one trial was finished, and after how many."""
    used = [
        version
        for version, following in zip(versions, [*versions[1:], {"trials": finished}], strict=False)
        if following["trials"] > version["trials"]
    ]
    return [
        f"{listed(list(changed))} changed after {counted(after['trials'], 'trial')}"
        for before, after in pairwise(used)
        if (changed := differences(before["files"], after["files"]))
    ]


def _with_several_contents(fingerprints: Iterable[Mapping[str, str]]) -> list[str]:
    contents: dict[str, set[str]] = {}
    for files in fingerprints:
        for name, digest in files.items():
            contents.setdefault(name, set()).add(digest)
    return sorted(name for name, digests in contents.items() if len(digests) > 1)
