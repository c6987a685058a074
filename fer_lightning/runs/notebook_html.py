"""Tables, lines and pictures as HTML, which a notebook shows in place of an object's `repr`."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from fer_lightning.redact import redact_text

_TYPES: Final = {".png": "png", ".jpg": "jpeg", ".svg": "svg+xml", ".webp": "webp"}


def lines_html(lines: Iterable[str]) -> str:
    """Return a paragraph for each line that is not empty; text is escaped and redacted, as everywhere here."""
    return "".join(f"<p>{_escaped(line)}</p>" for line in lines if line)


def table_html(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; numbers are set right by the notebook's own style."""
    head = "".join(f"<th>{_escaped(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture_html(picture: Path | bytes) -> str:
    """Return a picture with its data inside, from a file or a PNG's bytes."""
    kind, data = (
        ("png", picture) if isinstance(picture, bytes) else (_TYPES[picture.suffix], picture.read_bytes())
    )
    return f'<img src="data:image/{kind};base64,{base64.b64encode(data).decode("ascii")}" style="max-width:100%">'


def _escaped(text: str) -> str:
    return html.escape(redact_text(str(text)))
