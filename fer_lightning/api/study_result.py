"""A study as `ablation`, `search` and `report` return it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lightning.api.comparison import Comparison
from fer_lightning.config.objective import Objective
from fer_lightning.messages import counted
from fer_lightning.report.search_text import searched
from fer_lightning.runs.notebook_html import lines_html, picture_html, table_html
from fer_lightning.runs.run import Run
from fer_lightning.study.study_findings import StudyFindings
from fer_lightning.sweeps.study.results import Trial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Study:
    """A study that was run or read; `str` of it is the table for a terminal, a notebook shows tables and figures.

    Attributes
    ----------
    findings
        Name, objective, trials and files, as `StudyFindings` has them.
    """

    findings: StudyFindings

    @property
    def name(self) -> str:
        """The study's name; the same settings go on with it."""
        return self.findings.name

    @property
    def folder(self) -> Path:
        """Where its report lies."""
        return self.findings.folder

    @property
    def files(self) -> dict[str, Path]:
        """The report's files by kind, such as "csv", "page" and "effects"."""
        return self.findings.paths

    @property
    def objective(self) -> Objective:
        """What the study is judged by."""
        return self.findings.objective

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial: its number, state, parameters, value and `run`."""
        return self.findings.trials

    @property
    def comparison(self) -> Comparison | None:
        """The arms of an ablation with their verdicts, or a search's confirmed settings; None for a search alone."""
        confirmed = self.findings.confirmed
        report = self.findings.report if confirmed is None else confirmed.report
        return None if report is None else Comparison(report)

    @property
    def verdicts(self) -> dict[str, str]:
        """The word for each arm of an ablation or each confirmed setting of a search; empty for a search alone."""
        return {} if self.comparison is None else self.comparison.verdicts

    @property
    def best(self) -> Trial | None:
        """The best complete trial that meets every constraint, of a search without those that confirm it."""
        done = [trial for trial in searched(self.trials) if trial.can_win]
        return min(done, key=lambda trial: self.objective.sort_key(trial.value or 0.0), default=None)

    @property
    def runs(self) -> list[Run]:
        """The folders of all trials that have begun, read."""
        return [trial.run for trial in self.trials if trial.run.folder is not None]

    def to_pandas(self) -> pd.DataFrame:
        """Return the arms of an ablation, or the trials of a search (not those that confirm it), as a table."""
        import pandas as pd

        if self.findings.report is not None:
            return Comparison(self.findings.report).to_pandas()
        rows = [
            {
                "trial": trial.number,
                "state": "INFEASIBLE" if trial.infeasible else trial.state,
                **trial.params,
                self.objective.name: trial.value,
            }
            for trial in searched(self.trials)
        ]
        return pd.DataFrame(rows).set_index("trial")

    def __repr__(self) -> str:
        return f"Study({self.name}, {counted(len(self.trials), 'trial')}, in {self.folder})"

    def __str__(self) -> str:
        return self.findings.text

    def _repr_html_(self) -> str:
        if self.findings.report is not None:
            return Comparison(self.findings.report)._repr_html_()
        table = self.to_pandas().reset_index()
        rows = [
            [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in table.values
        ]
        figures = [path for path in self.files.values() if path.suffix == ".png"]
        head = self.findings.text.partition("\n\n")[0].splitlines()
        verdicts = "" if self.comparison is None else self.comparison._repr_html_()
        return (
            verdicts
            + lines_html(head)
            + table_html(list(map(str, table)), rows)
            + "".join(map(picture_html, figures))
        )
