"""`report` reads a study, writes its report and returns it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_lightning.api.settings import data_keys
from fer_lightning.api.study_result import Study
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Name, OpenShare, Positive, Slices, checked
from fer_lightning.errors import ConfigError
from fer_lightning.runs.leakage import Judged
from fer_lightning.stats.label_doubts import Labels
from fer_lightning.stats.rules import MinSeeds, Rules
from fer_lightning.study.ablation_findings import AskedFaces
from fer_lightning.study.experiment_file import with_experiment
from fer_lightning.study.study_report import report_study
from fer_lightning.study.study_upload import upload_study


@checked()
def report(
    study: Study | str | Path,
    *,
    output: str | Path | None = None,
    study_name: Name | None = None,
    faces: Judged = "all",
    labels: Labels = "all",
    fer_plus: str | Path | None = None,
    data: Mapping[str, Any] | None = None,
    page: bool = True,
    gallery: bool = True,
    slices: Slices = True,
    wandb: bool = True,
    experiment: str | Path | None = None,
    confidence: OpenShare = 0.95,
    min_seeds: MinSeeds = 3,
    smallest_effect: Positive | None = None,
    power: OpenShare = 0.8,
) -> Study:
    """Read a study, finished or not, and write its tables, figures and page.

    Parameters
    ----------
    study
        Its folder, its storage, or a `Study`.
    output
        Where the files are written; by default the study's folder.
    study_name
        Of a storage that holds several.
    faces
        "no_copy" or "no_near_copy" judges an ablation without the faces of which training has seen a copy.
    labels
        "trusted" judges an ablation without the faces whose label its own runs doubt.
    fer_plus
        FER+'s ``fer2013new.csv``, with which the doubtful labels are compared.
    data
        What has changed of the data since, as in ``{"path": "faces.zip"}``.
    page, gallery
        Whether ``report.html`` is written, too, and whether it shows the validation faces.
    slices
        Into how many groups the validation faces are divided to see where the baseline's networks, or a search's best
        one, fail; False for none.
    wandb
        Whether the study's own run in W&B follows, where its trials are logged there; that is of all faces and of the
        report in the study's own folder.
    experiment
        A file into which the best setting is written, to be run by ``+experiment=NAME``: of a search the confirmed one,
        where it was confirmed.
    confidence, min_seeds, smallest_effect, power
        When an arm is called better or worse: see `Rules`.

    Raises
    ------
    UserError
        There is no such study, or a setting is not as expected.

    Examples
    --------
    >>> report("studies/ablation-synthetic-1a2b3c4d", smallest_effect=0.02).verdicts  # doctest: +SKIP
    """
    place = study.folder if isinstance(study, Study) else study
    if data and faces == "all" and not (page and gallery) and slices is False:
        raise ConfigError(
            f"{', '.join(data_keys(data))}: is read with faces=no_copy or faces=no_near_copy, for slices, or for the "
            "page with its gallery only"
        )
    for key, value in (("faces", faces), ("labels", labels)):
        if value != "all":
            _require_another_folder(f"{key}={value}", place, output)
    if output is None and not typed_path(place).is_dir():
        raise ConfigError(f"{place}: no such folder; a study of a storage needs output=DIR")
    if output is None and not os.access(typed_path(place), os.W_OK | os.X_OK):
        raise ConfigError(f"{place}: cannot be written; expected output=DIR, a folder for the report's files")
    rules = Rules(confidence, min_seeds, smallest_effect, power)
    place = typed_path(place) if typed_path(place).exists() else str(place)
    findings = report_study(
        place,
        typed_path(place if output is None else output),
        study_name,
        rules,
        page=page and faces == "all",
        gallery=gallery,
        asked=AskedFaces(
            faces, labels, None if fer_plus is None else typed_path(fer_plus), data_keys(data), slices
        ),
    )
    if wandb and output is None:
        upload_study(findings, place, gallery=gallery, overrides=data_keys(data))
    if experiment is not None:
        findings = with_experiment(findings, place, study_name, typed_path(experiment))
    return Study(findings)


def _require_another_folder(asked: str, place: str | Path, output: str | Path | None) -> None:
    whose = "the report in the study's folder is of all faces"
    if output is None:
        raise ConfigError(f"{asked} needs output=DIR: {whose}")
    if typed_path(output).absolute() == typed_path(place).absolute():
        raise ConfigError(
            f"output={output}: is the study's own folder, and {whose}; expected another for {asked}"
        )
