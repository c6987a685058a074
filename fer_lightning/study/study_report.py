"""What a study found: an ablation's table and figure, a search's best trials and figures, the page of either."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.objective import Objective, study_objective
from fer_lightning.config.typed import shown
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.messages import counted
from fer_lightning.report.page import page_gallery, write_page
from fer_lightning.report.report_files import write_numbers, write_report
from fer_lightning.report.search_figures import write_search_figures
from fer_lightning.report.search_text import (
    search_markdown,
    search_notes,
    search_report,
    search_text,
    searched,
)
from fer_lightning.report.text import to_text
from fer_lightning.report.what_next import Step, ablation_steps, search_steps
from fer_lightning.runs.files import write_text
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.importance import objective_importance
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.study.ablation_findings import AskedFaces, judged_study
from fer_lightning.study.code_notes import code_notes
from fer_lightning.study.confirmed import judge_confirmation
from fer_lightning.study.doubtful_sheet import SHEET
from fer_lightning.study.verdicts import any_record
from fer_lightning.sweeps.jobs.environment import WORKER
from fer_lightning.sweeps.plan.confirmation import search_part
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.origin import command_of
from fer_lightning.sweeps.study.results import Trial, load_study, study_trials

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)


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

    def __str__(self) -> str:
        names = ", ".join(path.name for path in self.paths.values())
        return f"{self.text}\n\nwritten to {shown(self.folder)}: {names}"


def report_study(
    place: str | Path,
    folder: Path,
    study_name: str | None = None,
    rules: Rules | None = None,
    *,
    page: bool = True,
    gallery: bool = True,
    asked: AskedFaces | None = None,
) -> StudyFindings:
    """Write a study's report files and figures and return what it found.

    Parameters
    ----------
    place
        The study's folder, or its storage.
    folder
        Where the files are written.
    study_name
        May be left out where there is one study only.
    rules
        When an arm of an ablation is called better or worse.
    page
        Whether to write ``report.html`` too; its runs are shown as they are on all faces.
    gallery
        Whether the page shows the validation faces.
    asked
        Which faces an ablation is judged on; without it all.

    Raises
    ------
    DataError
        There is no such study, or nothing in it to report.
    ConfigError
        Some of the faces, or FER+, are asked for of a search.
    """
    asked = asked or AskedFaces()
    study = load_study(place, study_name)
    trials = study_trials(study, place)
    record = any_record(trials)
    objective = study_objective(study, fallback=record.get("metric"))
    if any(trial.arm is not None and trial.stage != Stage.CONFIRM for trial in trials):
        report = judged_study(study, trials, folder, rules, asked)
        command = report.command or command_of(study)
        steps = ablation_steps(report, trials, command, shown(folder))
        paths = write_report(report, folder, steps)
        if report.doubts is not None and (folder / SHEET).is_file():
            paths["doubtful_faces"] = folder / SHEET
        if page:
            shown_faces = page_gallery(trials, folder, asked.overrides) if gallery else None
            paths["page"] = write_page(study, trials, folder, report, steps=steps, gallery=shown_faces)
        text = to_text(report, steps=steps)
        return StudyFindings(
            study.study_name, objective, tuple(trials), report, text, folder, paths, steps=tuple(steps)
        )
    if asked.words:
        raise ConfigError(f"{asked.words[0]}: {place} is no ablation; expected one, a search has no verdicts")
    if not any(trial.state == "COMPLETE" for trial in trials):
        said = (
            f"; {counted(number, 'trial')} infeasible"
            if (number := sum(bool(t.infeasible) for t in trials))
            else ""
        )
        raise DataError(f"{place}: no trial is complete yet{said}")
    return _report_search(
        study, trials, objective, folder, rules, page=page, gallery=gallery, overrides=asked.overrides
    )


def _report_search(
    study: optuna.Study,
    trials: Sequence[Trial],
    objective: Objective,
    folder: Path,
    rules: Rules | None,
    *,
    page: bool,
    gallery: bool,
    overrides: Mapping[str, Any],
) -> StudyFindings:
    """Write the report of a search, with its confirmation where it has one."""
    record, alone = any_record(trials), search_part(study)
    data, importance = record.get("data", {}), objective_importance(alone)
    paths = write_search_figures(
        alone,
        folder,
        objective=objective,
        data_name=data.get("name", ""),
        synthetic=bool(data.get("synthetic", False)),
        importance=importance,
    )
    confirmed = judge_confirmation(trials, objective, rules)
    command = command_of(study) or record.get("command")
    steps = search_steps(trials, confirmed, command, shown(folder))
    if confirmed is not None:
        paths |= write_numbers(confirmed.report, folder)
    if page:
        paths["page"] = write_page(
            alone,
            trials,
            folder,
            importance=importance,
            confirmed=confirmed,
            steps=steps,
            gallery=page_gallery(trials, folder, overrides) if gallery else None,
        )
    table = search_text(searched(trials), objective, data)
    notes = [*study.user_attrs.get("notes", []), *code_notes(study, trials)]
    notes += search_notes(searched(trials), objective)
    text = search_report(table, confirmed, notes, steps)
    markdown = search_markdown(study.study_name, table, confirmed, notes, steps)
    for kind, whole in (("txt", text), ("md", markdown)):
        paths[kind] = folder / f"report.{kind}"
        write_text(paths[kind], whole)
    return StudyFindings(
        study.study_name, objective, tuple(trials), None, text, folder, paths, confirmed, tuple(steps)
    )


Ended: TypeAlias = StudyFindings | UserError | OSError
_found: ContextVar[list[Ended] | None] = ContextVar("_found", default=None)


@contextmanager
def kept_findings() -> Iterator[list[Ended]]:
    """Keep what studies that end within this context have found, or why there is no report, and print neither."""
    found: list[Ended] = []
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


class StudyReport(Callback):
    """Hydra callback: when a study has ended, prints its table and writes its files into its folder."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report the study, in the process that began it.

        Raises
        ------
        SystemExit
            With status 1, if the report cannot be written; Hydra would turn any other error into a warning.
        """
        # Hydra 1.4 calls it while an error or a signal ends the sweep, too, which may not have begun.
        if os.environ.get(WORKER) is not None or sys.exc_info()[1] is not None:
            return
        folder, kept = Path(config.hydra.sweep.dir), _found.get()
        try:
            found = report_study(
                folder,
                folder,
                config.hydra.sweeper.study_name,
                page=OmegaConf.select(config, "study.page", default=True),
                gallery=OmegaConf.select(config, "study.gallery", default=True),
            )
        except (UserError, OSError) as error:
            if kept is not None:
                kept.append(error)
                return
            log.error("no report: %s", error)
            raise SystemExit(1) from None
        if kept is None:
            print(f"\n{found}")  # noqa: T201
        else:
            kept.append(found)
