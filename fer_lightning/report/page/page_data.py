"""Everything that the report page shows, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy.stats import norm

from fer_lightning.config.flatten import flatten
from fer_lightning.config.objective import Objective, study_objective
from fer_lightning.plots.search import last_value, log_parameters
from fer_lightning.redact import redact
from fer_lightning.report import cells
from fer_lightning.report.confirmation_text import confirmation_sentences
from fer_lightning.report.factorial_cells import EXPLANATION, HEADER, factorial_cells, importance_line
from fer_lightning.report.gallery import Gallery
from fer_lightning.report.label_cells import Section
from fer_lightning.report.page import sentences as words
from fer_lightning.report.page import study_provenance
from fer_lightning.report.page.chart_data import (
    forest,
    forest_cells,
    search_drawings,
)
from fer_lightning.report.page.columns import cost_columns, metric_columns, parameter_columns
from fer_lightning.report.page.config_diff import split_configs
from fer_lightning.report.page.label_parts import label_parts, warnings, with_pictures
from fer_lightning.report.page.page_gallery import common_classes
from fer_lightning.report.page.run_entries import Pictures, embedded_sheets, run_entry
from fer_lightning.report.search_text import search_notes, searched
from fer_lightning.report.tuning_cells import tuning_lines, tuning_table
from fer_lightning.report.what_next import Step
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.sweeps.study.origin import ORIGIN

if TYPE_CHECKING:
    import optuna

    from fer_lightning.sweeps.study.results import Trial

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PageModel:
    """The page in three parts, all redacted.

    Attributes
    ----------
    head : what is written into the HTML itself: question, verdicts, counts, provenance
    data : what the page's script draws from: columns, runs, configurations, drawings
    pictures : "<run number>-<kind of faces>" → ``data:`` address, width and height of that saliency grid
    gallery : the validation faces; None for a page without them
    """

    head: dict[str, Any]
    data: dict[str, Any]
    pictures: Pictures
    gallery: Gallery | None = None


def page_model(
    study: optuna.Study,
    trials: Sequence[Trial],
    report: AblationReport | None = None,
    importance: dict[str, float] | None = None,
    folder: Path | None = None,
    *,
    confirmed: Confirmed | None = None,
    steps: Sequence[Step] = (),
    gallery: Gallery | None = None,
    sections: Sequence[Section] = (),
) -> PageModel:
    """Gather a study for its page.

    Parameters
    ----------
    study, trials : the study and all of its trials
    report : of an ablation; None for a search
    importance : of a search, from ``objective_importance``, where it is known already
    folder : of the report's files, some of whose pictures the page shows
    confirmed : what became of a search's best settings
    steps : what would answer what is open
    gallery : the validation faces, from ``page_gallery``
    sections : tables of a search below its drawings
    """
    compared = report if confirmed is None else confirmed.report
    # Once for all: each call looks through the whole environment.
    records, configs = redact(
        [[trial.run.record for trial in trials], [trial.run.config for trial in trials]]
    )
    objective = _objective(study, report, records)
    pictures = embedded_sheets(trials)
    drawings: dict[str, Any] = {}
    if report is None:
        drawings = search_drawings(study, objective, importance)
    data = {
        "kind": "search" if report is None else "ablation",
        "metric": objective.name,
        "higher": objective.higher_is_better,
        "columns": _columns(study, trials, records, objective),
        "runs": [run_entry(trial, objective.name, pictures) for trial in trials],
        "classes": common_classes(trials),
        "config": split_configs([flatten(config) for config in configs]),
        "forest": None if compared is None else forest(compared),
        "tuned": None if report is None or report.tuned is None else forest(report.tuned),
        **drawings,
    }
    names = len(data["classes"]) or 1
    # Each cell of a difference is judged at a level at which all of them hold at once (Bonferroni).
    data["cell_quantile"] = float(norm.ppf(1 - (1 - _CONFIDENCE) / 2 / names**2))
    head = _head(study, trials, records, report, drawings, objective, confirmed)
    head |= {"parts": _parts(compared), "steps": [(step.purpose, step.command) for step in steps]}
    head = redact(head | {"warnings": warnings(report), "label_parts": label_parts(report, sections)})
    head["label_parts"] = with_pictures(head["label_parts"], folder)
    return PageModel(head, redact(data), pictures, gallery)


def _objective(
    study: optuna.Study, report: AblationReport | None, records: Sequence[dict[str, Any]]
) -> Objective:
    if report is not None:
        return report.objective
    recorded = next((str(record["metric"]) for record in records if record.get("metric")), None)
    return study_objective(study, fallback=recorded)


def _columns(
    study: optuna.Study,
    trials: Sequence[Trial],
    records: Sequence[dict[str, Any]],
    objective: Objective,
) -> list[dict[str, Any]]:
    columns = [
        *parameter_columns(
            [trial.params for trial in trials], log_parameters([trial.frozen for trial in trials])
        ),
        *metric_columns(
            objective,
            [last_value(trial.frozen) for trial in trials],
            [record.get("best") for record in records],
        ),
        *cost_columns(records, [trial.seconds for trial in trials]),
    ]
    return [column.as_plain() for column in columns]


def _head(
    study: optuna.Study,
    trials: Sequence[Trial],
    records: Sequence[dict[str, Any]],
    report: AblationReport | None,
    drawings: dict[str, Any],
    objective: Objective,
    confirmed: Confirmed | None,
) -> dict[str, Any]:
    data = [record["data"] for record in records if record.get("data")]
    states = Counter(words.state_of(trial) for trial in trials)
    origin = study.user_attrs.get(ORIGIN, {})
    times = [time for trial in trials if (time := trial.frozen.datetime_start) is not None]
    return {
        "study": study.study_name,
        "shared": False,
        "synthetic": any(row.get("synthetic") for row in data),
        "data_name": next((str(row.get("name")) for row in data), ""),
        "states": list(states.items()),
        "total": len(trials),
        "time": cells.duration(sum(trial.seconds or 0.0 for trial in trials)),
        "epochs": int(sum(record.get("epochs") or 0 for record in records)),
        "lost": words.lost_lines(trials),
        "metric": objective.name,
        "direction": objective.direction,
        "notes": study_provenance.notes(records),
        "started": study_provenance.started(records, times),
        "command": study_provenance.latest_command(records, origin),
        "facts": [
            *study_provenance.program_facts(records, origin),
            *study_provenance.data_facts(records),
            *(
                []
                if report
                else [(*note.split(": ", 1),) for note in search_notes(searched(trials), objective)]
            ),
            *study_provenance.machine_facts(records),
        ],
        "versions": study_provenance.version_facts(records, origin),
        **_findings(trials, report, drawings, objective, confirmed),
    }


def _findings(
    trials: Sequence[Trial],
    report: AblationReport | None,
    drawings: dict[str, Any],
    objective: Objective,
    confirmed: Confirmed | None,
) -> dict[str, Any]:
    if report is not None:
        return {
            "kind": "Ablation",
            "question": words.ablation_question(report),
            "sentences": words.verdict_sentences(report),
        }
    importance = dict(map(tuple, drawings["importance"]))
    alone = searched(trials)
    names = list(dict.fromkeys(name for trial in alone for name in trial.params if name != "seed"))
    verdicts = [] if confirmed is None else confirmation_sentences(confirmed)
    found = words.search_sentences(alone, objective, importance, is_confirmed=confirmed is not None)
    return {
        "kind": "Search",
        "question": words.search_question(names, objective),
        "sentences": [*verdicts, *found],
    }


def _parts(report: AblationReport | None) -> list[dict[str, Any]]:
    """The ablation's table, and a second one where the arms were also tuned."""
    reports = [] if report is None else [part for part in (report, report.tuned) if part is not None]
    return [
        {
            "key": key,
            "title": part.title,
            "baseline": part.baseline,
            "metric": part.objective.heading,
            "level": f"{100 * part.rules.confidence:g} %",
            "rows": forest_cells(part),
            "how": cells.how_to_read(part),
            "more": [*cells.seeds_lines(part, command=False), *cells.single_run_lines(part)],
            "notes": list(part.notes),
            "tables": _more_tables(part),
        }
        for key, part in zip(("forest", "tuned"), reports, strict=False)
    ]


def _more_tables(report: AblationReport) -> list[dict[str, Any]]:
    """What stands below an ablation's table: how its settings were tuned, and the analysis of variance."""
    tables = []
    if report.tuning is not None:
        header, rows = tuning_table(report, report.tuning)
        lines = tuning_lines(report, report.tuning)
        tables.append({"title": "Settings of each arm", "header": header, "rows": rows, "lines": lines})
    if report.factorial is not None:
        lines = [EXPLANATION, importance_line(report.factorial)]
        rows = factorial_cells(report.factorial)
        tables.append({"title": "Analysis of variance", "header": list(HEADER), "rows": rows, "lines": lines})
    return tables
