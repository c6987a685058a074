"""The note of a trial: what came of it, and its pictures."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from fer_lightning.dashboard.trial_pictures import address_of
from fer_lightning.redact import redact_text
from fer_lightning.runs.run import Run
from fer_lightning.sweeps.study.constraints import violated

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
# A note of Optuna's dashboard is kept in pieces no longer than this.
PIECE = 2045


def note_of(trial: FrozenTrial, root: Path) -> str:
    """Return a trial's note as Markdown; empty while there is nothing to say.

    Parameters
    ----------
    trial
        Of the study.
    root
        The study's folder, below which its pictures lie.
    """
    lines = [part for part in (_about(trial), *_pictures(trial, root)) if part]
    return "\n\n".join(lines)


def _about(trial: FrozenTrial) -> str:
    attrs = trial.user_attrs
    if "directory" not in attrs and "arm" not in attrs:
        return ""
    words = [
        f"**{_text(attrs['arm'])}**" if "arm" in attrs else "",
        "infeasible" if violated(trial) else STATES[trial.state],
    ]
    words += [f"{key} {attrs[key]}" for key in ("seed", "fold") if key in attrs]
    words += [f"{attrs['seconds']:.0f} s" if "seconds" in attrs else ""]
    line = " · ".join(word for word in words if word)
    return line + (f"\n\n> {_text(attrs['reason'])}" if attrs.get("reason") else "")


def _pictures(trial: FrozenTrial, root: Path) -> list[str]:
    if "directory" not in trial.user_attrs:
        return []
    found = []
    for picture in Run(root / str(trial.user_attrs["directory"])).pictures:
        address = address_of(picture, root)
        if address is not None:
            found.append(f"{picture.stem.replace('_', ' ')}\n\n![{_text(picture.stem)}]({address})")
    return found


def _text(value: Any) -> str:
    """Return text of the user's without a secret, and without anything that Markdown or HTML would act upon."""
    plain = html.escape(redact_text(" ".join(str(value).split())), quote=False)
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+-!|~" else letter for letter in plain)


def note_attributes(trial_id: int, body: str) -> dict[str, Any]:
    """Return the study attributes in which Optuna's dashboard looks for a trial's note."""
    pieces = {
        f"dashboard:{trial_id}:note_str:{start // PIECE}": body[start : start + PIECE]
        for start in range(0, len(body), PIECE)
    }
    return {f"dashboard:{trial_id}:note_ver": 1} | pieces
