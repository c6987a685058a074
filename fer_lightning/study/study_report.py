"""What a study found: an ablation's table and figure, a search's best trials and figures, the page of either."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.objective import SHARE, Objective, study_objective
from fer_lightning.config.typed import shown
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.report.page import page_gallery, write_page
from fer_lightning.report.report_files import write_report
from fer_lightning.report.search_figures import write_search_figures
from fer_lightning.report.search_text import search_notes, search_text
from fer_lightning.report.text import to_text
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.importance import objective_importance
from fer_lightning.stats.rules import Rules
from fer_lightning.study.code_notes import code_notes
from fer_lightning.study.earlier_verdicts import earlier_note, earlier_objective
from fer_lightning.study.verdicts import any_record, judge
from fer_lightning.sweeps.jobs.environment import WORKER
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
    faces: str = "all",
    overrides: Mapping[str, Any] | None = None,
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
        Whether to write ``report.html`` too; it is about all faces.
    gallery
        Whether the page shows the validation faces.
    faces
        Which faces an ablation is judged on: see `judge`.
    overrides
        ``data.…`` keys that have changed since the runs, such as ``data.path``.

    Raises
    ------
    DataError
        There is no such study, or nothing in it to report.
    ConfigError
        Some of the faces are asked for of a search.
    """
    study = load_study(place, study_name)
    trials = study_trials(study, place)
    record = any_record(trials)
    objective = study_objective(study, fallback=record.get("metric"))
    if any(trial.arm is not None for trial in trials):
        report = judge(trials, objective, rules, faces, overrides)
        notes = code_notes(study, trials)
        report = _with_notes(report, study, folder, record, notes)
        paths = write_report(report, folder)
        if page:
            shown = page_gallery(trials, folder, overrides) if gallery else None
            paths["page"] = write_page(study, trials, folder, report, gallery=shown)
        return StudyFindings(
            study.study_name, objective, tuple(trials), report, to_text(report), folder, paths
        )
    if faces != "all":
        raise ConfigError(f"faces={faces}: {place} is no ablation; expected one, a search has no verdicts")
    if not any(trial.state == "COMPLETE" for trial in trials):
        raise DataError(f"{place}: no trial is complete yet")
    data = record.get("data", {})
    importance = objective_importance(study)
    paths = write_search_figures(
        study,
        folder,
        objective=objective,
        data_name=data.get("name", ""),
        synthetic=bool(data.get("synthetic", False)),
        importance=importance,
    )
    if page:
        shown = page_gallery(trials, folder, overrides) if gallery else None
        paths["page"] = write_page(study, trials, folder, importance=importance, gallery=shown)
    text = search_text(trials, objective, data)
    more = [*study.user_attrs.get("notes", []), *code_notes(study, trials)]
    more += search_notes(trials, objective)
    text += "".join(f"\nNote: {note}." for note in more)
    return StudyFindings(study.study_name, objective, tuple(trials), None, text, folder, paths)


def _with_notes(
    report: AblationReport, study: optuna.Study, folder: Path, record: dict[str, Any], more: Sequence[str]
) -> AblationReport:
    """Add what a reader must know: of the plan, of the code, and of an objective that was judged otherwise before."""
    objective, notes = report.objective, [*report.notes, *study.user_attrs.get("notes", []), *more]
    if study.user_attrs.get("unit") == SHARE and not objective.is_share:
        notes.append(f"{objective.name} is no share as hydra.sweeper.unit says: some values lie outside 0..1")
    earlier = earlier_objective(study, objective, folder, record)
    if earlier is not None:
        notes.append(earlier_note(earlier, objective))
    return replace(report, notes=tuple(notes), earlier=earlier)


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
