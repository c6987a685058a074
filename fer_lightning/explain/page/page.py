"""The page: every part with its pictures inside, in one file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from PIL import Image

from fer_lightning.explain.page.section import Picture, Section
from fer_lightning.explain.subject import Subject
from fer_lightning.models.counting import count_parameters
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_text
from fer_lightning.runs.provenance import command_line, versions


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def inlined(picture: Picture) -> tuple[str, int, int]:
    """Return a picture as a ``data:`` address, and its width and height in pixels."""
    text = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    with Image.open(picture.path) as image:
        return f"data:image/png;base64,{text}", image.width, image.height


def render(
    subject: Subject, checkpoint: str, sections: Sequence[Section], folder: Path, faces: str | None = None
) -> str:
    """Return the page as HTML; ``faces`` is the name of a page of all faces beside it, which it links to.

    Its Content-Security-Policy allows its one style by digest and pictures from ``data:`` addresses; it holds no
    script, and all text is escaped.
    """
    style = _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["inlined"] = inlined
    environment.filters["within"] = lambda path: path.relative_to(folder).as_posix()
    data = subject.record.get("data", {})
    network = getattr(subject.module, "model", subject.module)
    kind, (height, width) = "grey" if subject.channels == 1 else "colour", subject.image_size
    about = {
        "checkpoint": redact_text(checkpoint),
        "model": f"{type(network).__name__}, {count_parameters(network).total:,} parameters",
        "input": f"{kind} images of {height}×{width} pixels",
        "classes": ", ".join(subject.class_names),
        "trained on": str(data.get("name", "unknown")),
        "looked at": subject.title if subject.known_pictures is not None else "own pictures only",
        "command": command_line(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    return environment.from_string(_asset("page.html.j2")).render(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
        style=Markup(style),
        synthetic=subject.synthetic,
        about=about,
        sections=sections,
        faces=faces,
    )


def write_page(
    subject: Subject, checkpoint: str, sections: Sequence[Section], folder: Path, faces: str | None = None
) -> Path:
    """Write ``explanations.html`` into ``folder`` and return its path; ``faces`` as for `render`."""
    path = folder / "explanations.html"
    write_text(path, render(subject, checkpoint, sections, folder, faces))
    return path
