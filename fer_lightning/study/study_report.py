"""What a study found: an ablation's table and figure, a search's best trials and figures, the page of either."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.objective import study_objective
from fer_lightning.config.typed import shown
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.messages import counted
from fer_lightning.report.page import page_gallery, page_model, write_page
from fer_lightning.report.report_files import write_report
from fer_lightning.report.text import to_text
from fer_lightning.report.what_next import ablation_steps
from fer_lightning.stats.rules import Rules
from fer_lightning.study.ablation_findings import AskedFaces, judged_study
from fer_lightning.study.doubtful_sheet import SHEET
from fer_lightning.study.search_findings import report_search
from fer_lightning.study.study_findings import StudyFindings
from fer_lightning.study.study_slices import StudySlices, study_slices
from fer_lightning.study.study_upload import upload_study
from fer_lightning.study.verdicts import any_record
from fer_lightning.sweeps.jobs.environment import WORKER
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.origin import command_of
from fer_lightning.sweeps.study.results import load_study, study_trials

log = logging.getLogger(__name__)


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
        Which faces an ablation is judged on, and whether to look for those on which its networks fail; without it
        all, and yes.

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
        slices = StudySlices()
        if asked.every:
            shown_too = {"pictures": gallery, "copies": gallery and page}
            slices = study_slices(trials, report.baseline, asked.slices, folder, asked.overrides, **shown_too)
            report = replace(report, slices=slices.found, no_slices=slices.reason)
        paths = write_report(report, folder, steps)
        paths |= slices.write(folder, report.data_name, report.synthetic)
        if report.doubts is not None and (folder / SHEET).is_file():
            paths["doubtful_faces"] = folder / SHEET
        model = None
        if page:
            shown_faces = (
                page_gallery(trials, folder, asked.overrides, slices=slices.shown) if gallery else None
            )
            model = page_model(study, trials, report, folder=folder, steps=steps, gallery=shown_faces)
            paths["page"] = write_page(model, folder)
        return StudyFindings(
            study.study_name,
            objective,
            tuple(trials),
            report,
            to_text(report, steps=steps),
            folder,
            paths,
            steps=tuple(steps),
            page=model,
        )
    if asked.words:
        raise ConfigError(f"{asked.words[0]}: {place} is no ablation; expected one, a search has no verdicts")
    if not any(trial.state == "COMPLETE" for trial in trials):
        number = sum(bool(trial.infeasible) for trial in trials)
        said = f"; {counted(number, 'trial')} infeasible" if number else ""
        raise DataError(f"{place}: no trial is complete yet{said}")
    found = report_search(study, trials, objective, folder, rules, page=page, gallery=gallery, asked=asked)
    return StudyFindings(
        study.study_name,
        objective,
        tuple(trials),
        None,
        found.text,
        folder,
        found.paths,
        found.confirmed,
        found.steps,
        found.page,
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
                asked=AskedFaces(slices=OmegaConf.select(config, "study.slices", default=True)),
            )
        except (UserError, OSError) as error:
            if kept is not None:
                kept.append(error)
                return
            log.error("no report: %s", error)
            raise SystemExit(1) from None
        if kept is None:
            print(f"\n{found}", flush=True)  # noqa: T201
        else:
            kept.append(found)
        upload_study(found, folder, config=config)
