"""Write the report page: one HTML file with its style, script, numbers and pictures inside."""

from __future__ import annotations

from pathlib import Path

from fer_lightning.report.page.page_data import PageModel
from fer_lightning.report.page.render_page import OF_FACES, json_for_html, render_page
from fer_lightning.runs.files import write_text

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


def write_page(model: PageModel, folder: Path | str) -> Path:
    """Write ``report.html`` into a folder and return its path."""
    path = Path(folder) / "report.html"
    write_text(path, render(model))
    return path
