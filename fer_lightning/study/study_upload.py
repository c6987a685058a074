"""A study's own run in W&B: verdicts, faces and page, as the report has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from omegaconf import DictConfig, OmegaConf

from fer_lightning.messages import first_line, say_once
from fer_lightning.report import cells
from fer_lightning.report.gallery.telling_faces import choice_in_words, faces_rows
from fer_lightning.report.page import page_faces
from fer_lightning.report.page.shared_page import shared, without_folders
from fer_lightning.report.page.write import render
from fer_lightning.report.result_rows import trial_rows, verdict_rows
from fer_lightning.report.search_text import searched
from fer_lightning.study.study_findings import StudyFindings
from fer_lightning.study.verdicts import any_record
from fer_lightning.sweeps.study.results import Trial, load_study, study_folder
from fer_lightning.tracking.media import Table

if TYPE_CHECKING:
    from fer_lightning.tracking.study_run import StudyContent

_LOGGER: Final = "fer_lightning.tracking.logger.WandbRun"
_UNFINISHED: Final = ("RUNNING", "WAITING")


def upload_study(
    findings: StudyFindings,
    place: str | Path,
    *,
    gallery: bool = True,
    overrides: Mapping[str, Any] | None = None,
    config: DictConfig | None = None,
) -> None:
    """Bring the study's own run in W&B up to date, where its trials are logged there; never raises.

    Parameters
    ----------
    findings
        What the report has.
    place
        The study's folder, or its storage.
    gallery
        Whether the report shows the validation faces.
    overrides
        ``data.…`` keys that have changed since the runs.
    config
        The study's configuration: its ``logger``, and ``study.gallery`` and ``study.wandb_faces``, by
        either of which no face is sent. Without it that of its latest run.
    """
    try:
        told = _plain(findings, config)
        logger, switches = told.get("logger") or {}, told.get("study") or {}
        if logger.get("_target_") != _LOGGER or logger.get("mode") == "disabled":
            return
        faces = gallery and switches.get("gallery", True) and switches.get("wandb_faces", True)
        _upload(findings, place, logger, faces=faces, overrides=overrides or {})
    except Exception as error:
        say_once(
            f"Weights & Biases: the study was not sent ({first_line(error)}); its own files have everything"
        )


def _plain(findings: StudyFindings, config: DictConfig | None) -> dict[str, Any]:
    if config is None:
        return next((trial.run.config for trial in reversed(findings.trials) if trial.run.config), {})
    own = OmegaConf.masked_copy(config, ["logger", "study"])
    told: dict[str, Any] = OmegaConf.to_container(own, resolve=True)  # type: ignore[assignment]
    return told


def _upload(
    findings: StudyFindings,
    place: str | Path,
    logger: Mapping[str, Any],
    *,
    faces: bool,
    overrides: Mapping[str, Any],
) -> None:
    from fer_lightning.tracking.study_run import StudyRun  # it loads Lightning

    study = load_study(place, findings.name)
    data = any_record(findings.trials).get("data") or {}
    kind = "ablation" if findings.report is not None else "search"
    options = {
        key: logger[key] for key in ("project", "entity", "tags", "mode", "init_timeout") if logger.get(key)
    }
    run = StudyRun(
        study_folder(study, place),
        findings.name,
        str(study.user_attrs.get("id", "")),
        **options,
        data=data,
        kind=kind,
        config=without_folders(_config(findings, data, kind)),
    )
    run.send(lambda: _content(findings, faces=faces, overrides=overrides))


def _content(findings: StudyFindings, *, faces: bool, overrides: Mapping[str, Any]) -> StudyContent:
    from fer_lightning.tracking.study_run import StudyContent

    tables, sentences = _tables(findings)
    shown = page_faces(findings.trials, findings.folder, overrides) if faces else None
    if shown is not None:
        doubts = findings.report.doubts if findings.report is not None else None
        header, rows = faces_rows(shown, doubts.faces if doubts is not None else ())
        tables["faces"] = header, rows
        sentences.append(choice_in_words(shown, len(rows)))
    files = {}
    if findings.page is not None:
        files["report.html"] = render(shared(findings.page, faces=faces))
        without = "machine and commands" if faces else "machine, commands and faces"
        sentences.append(f"report.html: the study's report page, without {without}.")
    return StudyContent(
        {key: (header, without_folders(rows)) for key, (header, rows) in tables.items()},
        files,
        without_folders(_summary(findings)),
        without_folders("\n\n".join(sentences)),
    )


def _tables(findings: StudyFindings) -> tuple[dict[str, Table], list[str]]:
    """Return the tables but for that of the faces, and what they are."""
    report = findings.report
    if report is None and findings.confirmed is not None:
        report = findings.confirmed.report
    tables: dict[str, Table] = {}
    sentences = []
    if report is not None:
        tables["verdicts"] = verdict_rows(report)
        sentences.append(f"verdicts: {cells.headline(report)} {cells.how_to_read(report)}")
    if findings.report is None:
        tables["trials"] = trial_rows(searched(findings.trials), findings.objective)
        sentences.append(f"trials: the best of the search, by {findings.objective.heading}.")
    return tables, sentences


def _config(findings: StudyFindings, data: Mapping[str, Any], kind: str) -> dict[str, Any]:
    named = {"data": "name", "synthetic": "synthetic", "fingerprint": "fingerprint"}
    found: dict[str, Any] = {"study": findings.name, "kind": kind, "metric": findings.objective.name}
    found |= {"direction": findings.objective.direction}
    found |= {key: data[name] for key, name in named.items() if name in data}
    if findings.report is not None:
        report = findings.report
        found |= {
            "baseline": report.baseline,
            "arms": [row.arm for row in report.arms],
            "seeds": list(report.seeds),
        }
    return found


def _summary(findings: StudyFindings) -> dict[str, Any]:
    trials: Sequence[Trial] = findings.trials
    report = findings.report if findings.confirmed is None else findings.confirmed.report
    verdicts = Counter(row.verdict for row in report.arms) if report is not None else Counter()
    return {
        "state": "running" if any(trial.state in _UNFINISHED for trial in trials) else "complete",
        "trials": len(trials),
        "seconds": sum(trial.seconds or 0.0 for trial in trials),
        **{f"verdicts/{word}": count for word, count in verdicts.items() if word != "baseline"},
    }
