"""Write the report page: one HTML file with its style, script, numbers and pictures inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from fer_lightning.report.gallery import Gallery
from fer_lightning.report.page.page_data import PageModel, page_model
from fer_lightning.runs.files import write_text
from fer_lightning.stats.ablation import AblationReport

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
    "faces_data",
    "faces_groups",
    "faces_filter",
    "faces_pictures",
    "face_detail",
    "faces_tiles",
    "faces_form",
    "faces_links",
    "confusion",
    "curves",
    "compare",
    "history",
    "parallel",
    "slices",
    "start",
)
STYLES = ("page", "table", "drawings", "faces", "print")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def json_for_html(value: Any) -> Markup:
    """JSON that cannot end the ``<script>`` element it stands in, whatever text it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def render(model: PageModel) -> str:
    """The page as HTML.

    Its Content-Security-Policy allows the one style and the one script by their digests, pictures from
    ``data:`` addresses, and nothing else; all text of the study is escaped or stands in JSON.
    """
    script = '"use strict";\n(() => {\n' + "\n".join(_asset(f"{name}.js") for name in SCRIPTS) + "\n})();\n"
    style = "\n".join(_asset(f"{name}.css") for name in STYLES)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    sprites = {} if model.gallery is None else model.gallery.pictures
    template = environment.from_string(_asset("page.html.j2"))
    return template.render(
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        data=json_for_html(model.data),
        pictures={key: json_for_html(picture) for key, picture in model.pictures.items()},
        gallery=None if model.gallery is None else json_for_html(model.gallery.info),
        sprites={key: json_for_html(address) for key, address in sprites.items()},
        **model.head,
    )


def write_page(
    study: optuna.Study,
    trials: Sequence[Trial],
    folder: Path | str,
    report: AblationReport | None = None,
    importance: dict[str, float] | None = None,
    gallery: Gallery | None = None,
) -> Path:
    """Write ``report.html`` into `folder` and return its path.

    Parameters
    ----------
    study, trials : the study and all of its trials
    report : of an ablation; None for a search
    importance : of a search, from ``objective_importance``, where it is known already
    gallery : the validation faces, from ``page_gallery``
    """
    path = Path(folder) / "report.html"
    write_text(path, render(page_model(study, trials, report, importance, gallery)))
    return path
