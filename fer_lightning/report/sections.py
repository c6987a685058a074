"""All tables below the verdicts of an ablation: calibration, doubtful labels, and where its networks fail."""

from __future__ import annotations

from fer_lightning.report.label_cells import Section, label_sections
from fer_lightning.report.slice_cells import slice_sections
from fer_lightning.stats.ablation import AblationReport


def report_sections(report: AblationReport) -> list[Section]:
    """Return the parts that a report has, in the order in which every form shows them."""
    return [*label_sections(report), *slice_sections(report.slices, report.no_slices)]
