"""What a search found, written: its best trials, figures, confirmation and page, and where its best network fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lightning.config.objective import Objective
from fer_lightning.config.typed import shown
from fer_lightning.report.page import PageModel, page_gallery, page_model, write_page
from fer_lightning.report.report_files import write_numbers
from fer_lightning.report.search_figures import write_search_figures
from fer_lightning.report.search_text import (
    search_markdown,
    search_notes,
    search_report,
    search_text,
    searched,
)
from fer_lightning.report.slice_cells import slice_sections
from fer_lightning.report.what_next import Step, search_steps
from fer_lightning.runs.files import write_text
from fer_lightning.stats.importance import objective_importance
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.study.ablation_findings import AskedFaces
from fer_lightning.study.code_notes import code_notes
from fer_lightning.study.confirmed import judge_confirmation
from fer_lightning.study.study_slices import study_slices
from fer_lightning.study.verdicts import any_record
from fer_lightning.sweeps.plan.confirmation import search_part
from fer_lightning.sweeps.study.origin import command_of
from fer_lightning.sweeps.study.results import Trial

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class SearchFindings:
    """A search's report as text, its files by their kind, what became of its best settings, and what its page shows."""

    text: str
    paths: dict[str, Path]
    confirmed: Confirmed | None
    steps: tuple[Step, ...]
    page: PageModel | None


def report_search(
    study: optuna.Study,
    trials: Sequence[Trial],
    objective: Objective,
    folder: Path,
    rules: Rules | None,
    *,
    page: bool,
    gallery: bool,
    asked: AskedFaces,
) -> SearchFindings:
    """Write the report of a search, with its confirmation where it has one.

    Parameters
    ----------
    trials
        All of the study, at least one complete.
    folder, rules, page, gallery, asked
        As for `report_study`.

    Raises
    ------
    UserError
        The data are said to be elsewhere, and cannot be found there.
    """
    record, alone = any_record(trials), search_part(study)
    data, importance = record.get("data", {}), objective_importance(alone)
    about = (str(data.get("name", "")), bool(data.get("synthetic", False)))
    paths = write_search_figures(
        alone, folder, objective=objective, data_name=about[0], synthetic=about[1], importance=importance
    )
    confirmed = judge_confirmation(trials, objective, rules)
    command = command_of(study) or record.get("command")
    steps = search_steps(trials, confirmed, command, shown(folder))
    if confirmed is not None:
        paths |= write_numbers(confirmed.report, folder)
    best = best_first(searched(trials), objective)
    slices = study_slices(
        best, None, asked.slices, folder, asked.overrides, pictures=gallery, copies=gallery and page
    )
    paths |= slices.write(folder, *about)
    model = None
    if page:
        model = page_model(
            alone,
            trials,
            importance=importance,
            folder=folder,
            confirmed=confirmed,
            steps=steps,
            gallery=page_gallery(trials, folder, asked.overrides, slices=slices.shown) if gallery else None,
            sections=slice_sections(slices.found, slices.reason),
        )
        paths["page"] = write_page(model, folder)
    table = search_text(searched(trials), objective, data)
    notes = [*study.user_attrs.get("notes", []), *code_notes(study, trials)]
    notes += search_notes(searched(trials), objective)
    notes += [] if slices.found is None else [slices.found.sentence.removesuffix(".")]
    text = search_report(table, confirmed, notes, steps)
    markdown = search_markdown(study.study_name, table, confirmed, notes, steps)
    for kind, whole in (("txt", text), ("md", markdown)):
        paths[kind] = folder / f"report.{kind}"
        write_text(paths[kind], whole)
    return SearchFindings(text, paths, confirmed, tuple(steps), model)


def best_first(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that can win, the best first."""
    done = [
        (objective.sort_key(trial.value), trial)
        for trial in trials
        if trial.can_win and trial.value is not None
    ]
    return [trial for _, trial in sorted(done, key=lambda pair: pair[0])]
