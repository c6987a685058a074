"""What a study found, and where that was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fer_lightning.config.objective import Objective
from fer_lightning.config.typed import shown
from fer_lightning.report.page import PageModel
from fer_lightning.report.what_next import Step
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.sweeps.study.results import Trial


@dataclass(frozen=True)
class StudyFindings:
    """What a study found, and where that was written; `str` of it is the table for a terminal.

    Attributes
    ----------
    name, objective, trials
        Of the study.
    report
        The arms of an ablation; None for a search.
    confirmed
        What became of a search's best settings; None where they were not run again.
    steps
        What would answer what is open, with its commands.
    text
        The table.
    folder, paths
        Where the files lie, and each of them by its kind.
    page
        What the page shows; None where none was written.
    """

    name: str
    objective: Objective
    trials: tuple[Trial, ...]
    report: AblationReport | None
    text: str
    folder: Path
    paths: dict[str, Path]
    confirmed: Confirmed | None = None
    steps: tuple[Step, ...] = ()
    page: PageModel | None = field(default=None, repr=False)

    def __str__(self) -> str:
        names = ", ".join(path.name for path in self.paths.values())
        return f"{self.text}\n\nwritten to {shown(self.folder)}: {names}"
