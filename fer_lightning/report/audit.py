"""The audit of a data set as text for the terminal and as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fer_lightning.data.audit import AuditReport
from fer_lightning.data.faces import Faces
from fer_lightning.messages import counted
from fer_lightning.plots.audit import audit_figure
from fer_lightning.plots.contact_sheet import contact_sheet
from fer_lightning.plots.style import save_figure


def audit_table(report: AuditReport) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """Give the columns (the splits and ``all``) and the rows (a name, a number for each column)."""
    splits = report.splits
    rows = [("faces", [split.faces for split in splits])]
    rows += [(name, [split.class_counts[i] for split in splits]) for i, name in enumerate(report.class_names)]
    rows.append(("blank", [split.blank for split in splits]))
    rows += [
        (f"copy in {other.split}", [split.copies_in[other.split] for split in splits]) for other in splits
    ]
    summed = [(name, [*numbers, sum(numbers)]) for name, numbers in rows]
    conflicts = [*(split.conflicting_groups for split in splits), report.conflicting_groups]
    return [*(split.split for split in splits), "all"], [*summed, ("conflicting groups", conflicts)]


def to_text(report: AuditReport) -> str:
    """Give the audit for the terminal: one table and what its lower rows mean, at most 110 columns wide."""
    columns, rows = audit_table(report)
    size = "×".join(map(str, report.image_size))
    name_width = max(len(name) for name, _ in rows)
    lines = [
        f"{report.title}: {report.faces:,} images of {size} pixels in {len(report.class_names)} classes",
        f"fingerprint {report.fingerprint}",
        "",
        f"{'':{name_width}}" + "".join(f"{column:>9}" for column in columns),
    ]
    first_finding = 1 + len(report.class_names)
    for i, (name, numbers) in enumerate(rows):
        if i in (1, first_finding):
            lines.append("")
        lines.append(f"{name:{name_width}}" + "".join(f"{number:9,}" for number in numbers))
    within = sum(split.conflicting_groups for split in report.splits)
    lines += [
        "",
        "A column counts images of its split.",
        "blank: images of one grey level only",
        "copy in …: images of which another one with exactly the same pixels is in the split that the row names",
        "conflicting groups: copies under more than one label within the split; under 'all', in any splits",
        f"Copies in all: {counted(report.copy_groups, 'group')}, {counted(report.copied_faces, 'image')}. "
        f"Conflicting: {counted(report.conflicting_groups, 'group')}; counted within single splits, {within:,}.",
    ]
    return "\n".join(lines) + "\n"


def to_csv(report: AuditReport) -> str:
    """Give the table of :func:`audit_table` as CSV."""
    columns, rows = audit_table(report)
    return _csv(
        [["data", "synthetic", "what", *columns]], ([report.name, report.synthetic, n, *r] for n, r in rows)
    )


def faces_to_csv(report: AuditReport) -> str:
    """Give every flagged face as CSV: one line a face, with its group of copies."""
    header = ["data", "synthetic", "id", "split", "class", "group", "copy_in", "conflicting", "blank"]
    return _csv(
        [header],
        (
            [
                report.name,
                report.synthetic,
                face.id,
                face.split,
                face.class_name,
                face.group or "",
                " ".join(face.copy_in),
                face.conflicting,
                face.blank,
            ]
            for face in report.flagged
        ),
    )


def to_json(report: AuditReport) -> str:
    """Give every number and every flagged face, with the field names of the dataclasses."""
    return json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"


def write_audit(report: AuditReport, folder: Path | str) -> dict[str, Path]:
    """Write ``audit.txt``, ``.csv``, ``.json``, ``.png`` and ``audit_faces.csv`` into a folder.

    Returns
    -------
    The paths by file name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "audit.txt": to_text(report),
        "audit.csv": to_csv(report),
        "audit_faces.csv": faces_to_csv(report),
        "audit.json": to_json(report),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    save_figure(audit_figure(report), folder / "audit.png")
    return {name: folder / name for name in (*texts, "audit.png")}


def _csv(header: list[list[str]], rows: Iterable[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(header)
    writer.writerows(rows)
    return text.getvalue()


def example_faces(faces: Faces, each: int = 4) -> np.ndarray:
    """Return positions of ``each`` training faces of every class, int64, row by row: one column a class."""
    train = faces.indices("train")
    columns = [train[faces.labels[train] == label][:each] for label in range(len(faces.class_names))]
    shortest = min(len(column) for column in columns)
    return np.stack([column[:shortest] for column in columns], axis=1).reshape(-1)


def write_faces(faces: Faces, path: Path) -> Path:
    """Write a sheet of training faces, a column for each class."""
    chosen = example_faces(faces)
    titles = [faces.class_names[label] for label in faces.labels[chosen]]
    ax = contact_sheet(np.asarray(faces.images[chosen]), titles, columns=len(faces.class_names))
    return save_figure(ax, path)
