"""Whether doubtful labels are those that FER+'s people doubt, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fer_lightning.messages import counted
from fer_lightning.stats.label_doubts import LabelDoubts


def with_fer_plus(doubts: LabelDoubts, given: Mapping[str, str], fer_plus: Mapping[str, str]) -> LabelDoubts:
    """Return the doubts with what FER+ calls each doubtful face, and a note on how often it differs from the label.

    Parameters
    ----------
    given, fer_plus
        Label, and FER+'s majority, of each judged face by its name; empty where FER+ does not decide.
    """
    decided = {name for name, other in fer_plus.items() if other}
    differs = {name for name in decided if fer_plus[name] != given[name]}
    doubted, others = decided & doubts.ids, decided - doubts.ids
    confirmed = sum(fer_plus[face.id] == face.suggested for face in doubts.faces if face.id in differs)
    note = (
        f"FER+ decides on {len(decided):,} of {counted(len(fer_plus), 'face')}; it names another class than the label "
        f"in {_share(differs & doubted, doubted)} of the doubtful faces, {_share(differs & others, others)} of the "
        f"others and {_share(differs, decided)} of all, and the suggested class in {confirmed:,} of "
        f"{counted(len(doubted), 'doubtful face')}"
    )
    faces = tuple(replace(face, fer_plus=fer_plus[face.id]) for face in doubts.faces)
    return replace(doubts, faces=faces, notes=(*doubts.notes, note))


def _share(part: set[str], whole: set[str]) -> str:
    return f"{len(part):,} of {len(whole):,} ({100 * len(part) / len(whole):.1f} %)" if whole else "none"
