"""What a report says of its labels and of its arms' calibration: the same tables and sentences in every form."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fer_lightning.messages import counted
from fer_lightning.report.cells import NONE
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_calibration import ArmCalibration
from fer_lightning.stats.label_doubts import LabelDoubts

DOUBTS_FILE, CALIBRATION_FILE = "doubtful_labels.csv", "calibration.csv"
WORDS = ("arm", "label", "suggested most", "most are", "most frequent mistake")
"""Headings of columns of words, which are set left."""
_SUGGESTIONS = 3


@dataclass(frozen=True)
class Section:
    """A table below the verdicts, with its title and what must be read beside it; a row may be a slice's."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]
    slices: tuple[int, ...] = ()


def label_sections(report: AblationReport) -> list[Section]:
    """The parts on calibration and on doubtful labels that a report has."""
    found = [calibration_section(report.calibration)] if report.calibration else []
    return found if report.doubts is None else [*found, doubts_section(report.doubts)]


def calibration_section(arms: Sequence[ArmCalibration]) -> Section:
    """Temperature, likelihood and calibration error of each arm."""
    # The arm comes last: a line that begins with an arm's name is its verdict.
    header = ("temperature", "NLL", "at it", "error %", "at it", "by chance %", "seeds", "arm")
    rows = tuple(
        (
            _mean_sd(arm.temperatures),
            f"{arm.before.nll:.3f}",
            f"{arm.after.nll:.3f}",
            f"{100 * arm.before.ece:.1f}",
            f"{100 * arm.after.ece:.1f}",
            f"{100 * arm.after.chance:.1f}",
            f"{len(arm.seeds)}",
            arm.arm,
        )
        for arm in arms
    )
    faces = max(arm.faces for arm in arms)
    line = (
        "Calibration: each run's temperature is fitted on one half of the validation faces, drawn over the classes, "
        f"and judged on the other ({counted(faces, 'face')}); means over seeds. NLL: negative log-likelihood in nats. "
        "Error: expected calibration error over 15 bins of equally many faces; by chance: what it would be at that "
        "temperature if every probability were true, for so few faces. predict temperature=fitted uses a run's "
        "temperature."
    )
    return Section("Calibration", header, rows, (line,))


def _mean_sd(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.2f}"


def doubts_section(doubts: LabelDoubts) -> Section:
    """How many labels are doubted in each class, and what is suggested in their place."""
    rows = tuple(
        (
            name,
            f"{faces:,}",
            f"{sum(counts):,}",
            f"{100 * sum(counts) / faces:.1f}" if faces else NONE,
            _suggestions(doubts, counts),
        )
        for name, faces, counts in zip(doubts.class_names, doubts.class_faces, doubts.counts, strict=True)
    )
    header = ("label", "faces", "doubtful", "%", "suggested most")
    lines = (doubts_sentence(doubts), *(f"Note: {note}." for note in doubts.notes))
    return Section("Doubtful labels", header, rows if doubts.faces else (), lines)


def doubts_sentence(doubts: LabelDoubts) -> str:
    """How many labels are doubted, by what, and what that is worth."""
    count, of = len(doubts.faces), doubts.n_faces
    share = f" ({100 * count / of:.1f} %)" if of else ""
    found = f"Doubtful labels: {count:,} of {counted(of, 'face')}{share}, by confident learning over "
    found += f"{counted(doubts.n_runs, 'run')} that were not trained on them"
    if not count:
        return f"{found}."
    return (
        f"{found}; together these runs give {100 * doubts.accuracy:.1f} % of the faces their label. What nets cannot "
        f"tell is doubted like what is wrong: look at the faces, which {DOUBTS_FILE} lists, the most doubtful first."
    )


def trusted_note(doubts: LabelDoubts) -> str:
    """What a reader must know of verdicts without the doubtful faces."""
    return (
        f"judged without {counted(len(doubts.faces), 'face')} of {doubts.n_faces:,} whose label the study's own runs "
        "doubt: that favours what most arms agree on and raises every accuracy, so no model is chosen by it"
    )


def _suggestions(doubts: LabelDoubts, counts: Sequence[int]) -> str:
    most = sorted(range(len(counts)), key=lambda other: -counts[other])[:_SUGGESTIONS]
    return (
        ", ".join(f"{doubts.class_names[other]} {counts[other]:,}" for other in most if counts[other]) or NONE
    )


def doubts_csv(doubts: LabelDoubts, data_name: str, synthetic: bool) -> str:
    """The doubtful faces as CSV, the most doubtful first; without any, the header alone."""
    fer_plus = any(face.fer_plus is not None for face in doubts.faces)
    header = ["data", "synthetic", "rank", "id", "label", "suggested", "score", "disagree", "runs"]
    rows = (
        [
            *(data_name, synthetic, face.rank, face.id, face.label, face.suggested),
            *(f"{face.score:.4f}", f"{face.disagree:.4f}", face.runs),
            *([face.fer_plus] if fer_plus else []),
        ]
        for face in doubts.faces
    )
    return _csv([*header, *(["fer_plus"] if fer_plus else [])], rows)


def calibration_csv(arms: Sequence[ArmCalibration], data_name: str, synthetic: bool) -> str:
    """Each arm's calibration as CSV; shares are fractions."""
    header = ["data", "synthetic", "arm", "seeds", "faces", "temperatures", "nll", "nll_fitted"]
    header += ["ece", "ece_fitted", "ece_by_chance", "ece_by_chance_fitted"]
    rows = (
        [
            *(data_name, synthetic, arm.arm, " ".join(map(str, arm.seeds)), arm.faces),
            " ".join(f"{value:.6g}" for value in arm.temperatures),
            *(arm.before.nll, arm.after.nll, arm.before.ece, arm.after.ece),
            *(arm.before.chance, arm.after.chance),
        ]
        for arm in arms
    )
    return _csv(header, rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
