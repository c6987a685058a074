"""What a report says of where networks fail: the same tables and sentences in every form, and the CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from fer_lightning.messages import counted
from fer_lightning.report.cells import NONE
from fer_lightning.report.label_cells import Section
from fer_lightning.stats.slices import CONFIDENCE, FaceSlices, Slice

SLICES_FILE, SLICE_FACES_FILE = "failing_slices.csv", "slice_faces.csv"
TITLE, ARMS_TITLE = "Where it fails", "Where each arm fails"
_HEADER = (
    "slice",
    "faces",
    f"error % [{100 * CONFIDENCE:g} %]",
    "by class",
    "most are",
    "most frequent mistake",
)
_PICTURES = ("sure %", "light", "contrast", "copies %")


def slice_sections(found: FaceSlices | None, reason: str | None = None) -> list[Section]:
    """The failing slices, and each arm's errors in them; where there are none, why not.

    Parameters
    ----------
    reason
        Why slices were not looked for.
    """
    if found is None:
        return [] if reason is None else [Section(TITLE, (), (), (f"Slices were not looked for: {reason}.",))]
    rows = tuple(map(_row, found.failing))
    lines = (found.sentence, *((_beyond_class(found), _how_to_read(found)) if rows else ()), *_notes(found))
    sections = [
        Section(TITLE, (*_HEADER, *_PICTURES), rows, lines, tuple(each.number for each in found.failing))
    ]
    return [*sections, *([_arms(found)] if rows and len(found.arms) > 1 else [])]


def _row(each: Slice) -> tuple[str, ...]:
    mistake = NONE
    if each.taken_for is not None:
        mistake = f"{each.taken_for[0]} → {each.taken_for[1]} {100 * each.taken_share:.0f} %"
    return (
        f"{each.number}",
        f"{each.faces:,}",
        f"{100 * each.error:.1f} [{100 * each.low:.1f}, {100 * each.high:.1f}]",
        f"{100 * each.expected:.1f}",
        f"{each.label} {100 * each.label_share:.0f} %",
        mistake,
        f"{100 * each.confidence:.0f}",
        NONE if each.brightness is None else f"{each.brightness:.0f}",
        NONE if each.contrast is None else f"{each.contrast:.0f}",
        NONE if each.near_copies is None else f"{100 * each.near_copies:.0f}",
    )


def _arms(found: FaceSlices) -> Section:
    header = ("all faces %", *(f"slice {each.number} %" for each in found.failing), "seeds", "arm")
    rows = tuple(
        (
            f"{100 * arm.error:.1f}",
            *(
                " ".join(filter(None, (f"{100 * arm.errors[each.number]:.1f}", arm.words.get(each.number))))
                for each in found.failing
            ),
            f"{arm.seeds}",
            arm.arm,
        )
        for arm in found.arms
    )
    line = (
        "Errors of each arm in the same slices, means over seeds. Better and worse: than the baseline, by the paired "
        f"comparison of the verdicts within the slice, at a level at which all words of this table hold together "
        f"({100 * CONFIDENCE:g} %, Bonferroni); elsewhere it is not decided."
    )
    return Section(ARMS_TITLE, header, rows, (line,))


def _beyond_class(found: FaceSlices) -> str:
    beyond = [f"{each.number}" for each in found.failing if each.beyond_class]
    if not beyond:
        return "In none of them does the interval lie above the error by class, too: their classes may explain them."
    which = f"slice {beyond[0]}" if len(beyond) == 1 else f"slices {', '.join(beyond[:-1])} and {beyond[-1]}"
    return (
        f"In {which} the interval also lies above the error by class: there is more to it than hard classes."
    )


def _how_to_read(found: FaceSlices) -> str:
    several = len(found.run_errors) > 1
    runs = f"Errors are means over {counted(len(found.run_errors), 'run')}. " if several else ""
    networks = "these very networks" if several else "this very network"
    return (
        "The groups were found by the features of the penultimate layer alone, without labels or errors. "
        f"{runs}The intervals of all {len(found.slices)} groups hold together, for new faces like these and for "
        f"{networks}. By class: the error of as many faces of the same true classes, were they no harder than others "
        "of their class. Sure: mean probability of what is predicted; light and contrast: mean and standard deviation "
        "of a face's levels, 0 to 255; copies: faces with a copy or near copy in training. "
        f"{SLICES_FILE} has all groups, {SLICE_FACES_FILE} their faces."
    )


def _notes(found: FaceSlices) -> tuple[str, ...]:
    return tuple(f"Note: {note}." for note in found.notes)


def slices_numbers(found: FaceSlices) -> dict[str, Any]:
    """Return what JSON has of the slices: all but the faces, which are in the CSV."""
    return {
        **{"source": found.source, "error": found.error, "run_errors": found.run_errors},
        "slices": list(map(asdict, found.slices)),
        "arms": list(map(asdict, found.arms)),
        "notes": found.notes,
    }


def slices_csv(found: FaceSlices, data_name: str, synthetic: bool) -> str:
    """All groups as CSV, the largest error first; shares are fractions."""
    header = ["data", "synthetic", "slice", "faces", "error", "low", "high", "error_all_faces", "failing"]
    header += ["error_by_class", "run_errors", "label", "label_share", "mistake_label", "mistake_predicted"]
    header += ["mistake_share", "confidence", "brightness", "contrast", "near_copies"]
    rows = (
        [
            *(data_name, synthetic, each.number, each.faces, *_shares(each.error, each.low, each.high)),
            *(*_shares(found.error), each.failing, *_shares(each.expected)),
            " ".join(_shares(*each.run_errors)),
            *(each.label, *_shares(each.label_share), *(each.taken_for or ("", ""))),
            *_shares(each.taken_share, each.confidence, each.brightness, each.contrast, each.near_copies),
        ]
        for each in found.slices
    )
    return _csv(header, rows)


def slice_faces_csv(found: FaceSlices) -> str:
    """Every face as CSV: its slice, label, most frequent prediction and the share of runs that are wrong."""
    names = found.class_names
    order = found.group.argsort(kind="stable")
    rows = (
        [
            found.group[i],
            found.ids[i],
            names[found.labels[i]],
            names[found.predicted[i]],
            *_shares(found.wrong[i]),
        ]
        for i in order
    )
    return _csv(["slice", "id", "label", "predicted", "wrong"], rows)


def _shares(*values: float | None) -> list[str]:
    return ["" if value is None else f"{value:.6g}" for value in values]


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
