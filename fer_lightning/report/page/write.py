"""Write the report page: one HTML file with its style, script, numbers and pictures inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lightning.report.gallery import Gallery
from fer_lightning.report.label_cells import Section
from fer_lightning.report.page.page_data import PageModel, page_model
from fer_lightning.report.page.render_page import OF_FACES, json_for_html, render_page
from fer_lightning.report.what_next import Step
from fer_lightning.runs.files import write_text
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.winners_curse import Confirmed

if TYPE_CHECKING:
    import optuna

    from fer_lightning.sweeps.study.results import Trial

# In the order in which they build on each other.
SCRIPTS = (
    "dom",
    "study",
    "later",
    "chart",
    "tooltip",
    "forest",
    "selection",
    "filter",
    "filter_form",
    "table",
    *OF_FACES,
    "confusion",
    "curves",
    "compare",
    "history",
    "parallel",
    "slices",
    "start",
)


def render(model: PageModel) -> str:
    """The page as HTML; all text of the study is escaped or stands in JSON."""
    return render_page(
        "page",
        SCRIPTS,
        model.gallery,
        data=json_for_html(model.data),
        pictures={key: json_for_html(picture) for key, picture in model.pictures.items()},
        **model.head,
    )


def write_page(
    study: optuna.Study,
    trials: Sequence[Trial],
    folder: Path | str,
    report: AblationReport | None = None,
    importance: dict[str, float] | None = None,
    *,
    confirmed: Confirmed | None = None,
    steps: Sequence[Step] = (),
    gallery: Gallery | None = None,
    sections: Sequence[Section] = (),
) -> Path:
    """Write ``report.html`` into `folder` and return its path.

    Parameters
    ----------
    study, trials : the study and all of its trials
    report : of an ablation; None for a search
    importance : of a search, from ``objective_importance``, where it is known already
    confirmed : what became of a search's best settings
    steps : what would answer what is open
    gallery : the validation faces, from ``page_gallery``
    sections : tables of a search below its drawings
    """
    path = Path(folder) / "report.html"
    model = page_model(
        study,
        trials,
        report,
        importance,
        Path(folder),
        confirmed=confirmed,
        steps=steps,
        gallery=gallery,
        sections=sections,
    )
    write_text(path, render(model))
    return path
