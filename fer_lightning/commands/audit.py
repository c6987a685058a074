"""``python -m fer_lightning audit data=…``: what is in a data set, and what should not be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_lightning.commands.arguments import split_arguments
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.config.values import Name
from fer_lightning.data.audit import audit
from fer_lightning.report.audit import to_text, write_audit, write_faces
from fer_lightning.training.build import build_data

EXAMPLE = "data=fer2013 data.path=fer2013.zip output=audit"


@dataclass
class Keys:
    """What may be asked of the command."""

    output: Name | None = None


def main(arguments: list[str]) -> int:
    """Print class counts, copies, conflicts and blanks; with ``output=DIR`` also write them and figures.

    Any key of the configuration may be given; ``--config-dir DIR`` adds a folder of one's own.
    """
    values, overrides = split_arguments(arguments, Keys)
    config = compose_config(overrides)
    check_config(config)
    data = build_data(config)
    report = audit(data.faces)
    print(to_text(report), end="")
    if values["output"]:
        folder = Path(values["output"])
        paths = [*write_audit(report, folder).values(), write_faces(data.faces, folder / "faces.png")]
        print("\nwritten: " + ", ".join(str(path) for path in paths))
    return 0
