"""``python -m fer_lightning predict checkpoint=… images…``: the class probabilities of anybody's own pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_lightning.api.predicted import predict_readable
from fer_lightning.commands.arguments import REQUIRED, Checkpoints, FileName, has_key, parse_arguments
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Processors, hints_of
from fer_lightning.errors import ConfigError, DataError, nearest
from fer_lightning.evaluation.fitted_temperature import Temperature
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_text
from fer_lightning.runs.listing import FORMATS, Format

EXAMPLE = "checkpoint=runs/one/checkpoints/best.ckpt photo.jpg faces/"


@dataclass
class Keys:
    """What may be asked of the command."""

    checkpoint: Checkpoints = REQUIRED
    format: Format | None = None
    output: FileName | None = None
    temperature: Temperature | None = None
    threads: Processors | None = None


def main(arguments: list[str]) -> int:
    """Print the probabilities as a table, CSV or JSON, or write them to ``output=FILE``.

    ``temperature=fitted`` divides the logits by what calibrates each checkpoint's run, a number by that.
    """
    values, words = split_words(arguments)
    if not values["checkpoint"]:
        raise ConfigError(
            "checkpoint=…: expected a checkpoint, or several as checkpoint=[a,b] for their average"
        )
    if not words:
        raise ConfigError("predict checkpoint=… images…: expected at least one picture, folder or pattern")
    form = chosen_format(values["format"], values["output"])
    found = predict_readable(values["checkpoint"], words, values["threads"], values["temperature"])
    for text in (*(f"skipped {problem}" for problem in found.skipped), *found.notes):
        print(f"fer_lightning: {redact_text(text)}", file=sys.stderr)
    if not found.names:
        raise DataError("predict: none of the pictures could be read")
    text = found.to_csv() if form == "csv" else found.to_json() if form == "json" else str(found)
    if values["output"]:
        write_text(Path(values["output"]), text)
    else:
        print(text, end="")
    return 0


def split_words(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Tell the command's ``key=value`` words from the names of pictures.

    Raises
    ------
    ConfigError
        A word has the form ``key=value``, its key is not known, and no file is called so.
    """
    own = [word for word in arguments if has_key(word, Keys)]
    words = [word for word in arguments if word not in own]
    for word in words:
        key, equals, _ = word.partition("=")
        if equals and key.replace(".", "_").isidentifier() and not typed_path(word).exists():
            raise ConfigError(f"{key}: no such key; {nearest(key, hints_of(Keys))}")
    values, _ = parse_arguments(own, Keys)
    return values, words


def chosen_format(asked: str | None, output: str | None) -> str:
    """Return the format that was asked for, else the one that the output's ending names, else a table."""
    if asked is None:
        ending = Path(output or "").suffix.lower().removeprefix(".")
        return ending if ending in FORMATS else "table"
    return asked
