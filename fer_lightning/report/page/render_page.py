"""HTML of one file: a template with the style, the scripts, the numbers and the pictures inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from fer_lightning.report.gallery import Gallery

# The scripts of the gallery, in the order in which they build on each other.
OF_FACES = (
    "faces_data",
    "faces_groups",
    "faces_filter",
    "faces_pictures",
    "face_detail",
    "faces_tiles",
    "faces_form",
    "faces_links",
    "face_slices",
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


def render_page(template: str, scripts: Sequence[str], gallery: Gallery | None, **values: Any) -> str:
    """Fill a template of ``assets/``.

    Its Content-Security-Policy allows the one style and the one script by their digests, pictures from
    ``data:`` addresses, and nothing else.

    Parameters
    ----------
    template : its name
    scripts : names of the scripts, in the order in which they build on each other
    gallery : the faces that the page shows; None for none
    values : what the template names; texts are escaped
    """
    script = '"use strict";\n(() => {\n' + "\n".join(_asset(f"{name}.js") for name in scripts) + "\n})();\n"
    style = "\n".join(_asset(f"{name}.css") for name in STYLES)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_asset),
    )
    sprites = {} if gallery is None else gallery.pictures
    return environment.get_template(f"{template}.html.j2").render(
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        gallery=None if gallery is None else json_for_html(gallery.info),
        sprites={key: json_for_html(address) for key, address in sprites.items()},
        **values,
    )
