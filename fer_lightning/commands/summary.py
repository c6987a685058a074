"""``python -m fer_lightning summary model=vgg16``: every layer with its output size and parameters."""

from __future__ import annotations

from fer_lightning.commands.arguments import split_arguments
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError, lacks_memory
from fer_lightning.messages import aligned
from fer_lightning.models.base import NUM_CLASSES
from fer_lightning.models.layer_summary import Summary, model_summary
from fer_lightning.training.build import build_data
from fer_lightning.training.network import build_model

EXAMPLE = "model=vgg16 model.dropout=0.3"
_HEADER = ("layer", "kind", "output", "parameters", "multiply-adds")


def main(arguments: list[str]) -> int:
    """Print the summary of the composed model, for the faces and classes of the data where ``data.path`` says them.

    Any key of the configuration may be given; ``--config-dir DIR`` adds a folder of one's own.
    """
    _, overrides = split_arguments(arguments, None)
    config = compose_config(overrides)
    check_config(config)
    size = config.model.get("image_size") or config.data.image_size
    classes, assumed = config.model.get("num_classes"), ""
    if config.data.get("path"):
        classes = classes or build_data(config).num_classes
    elif not classes:
        classes = NUM_CLASSES
        if config.data.name not in ("synthetic", "fer2013") or config.data.get("labels"):
            assumed = f"\n{classes} classes are assumed; data.path=… says what data={config.data.name} has."
    channels = config.data.get("channels", 1)
    model = build_model(config.model, image_size=size, num_classes=classes, in_channels=channels)
    try:
        found = model_summary(model, size, channels)
    except (RuntimeError, ValueError, TypeError) as error:
        if lacks_memory(error):
            raise
        given, said = f"[1, {channels}, {size}, {size}]", " ".join(str(error.__cause__ or error).split())
        raise ConfigError(
            f"model: {type(model).__name__} cannot take a picture of {given}: {said}"
        ) from error
    print(summary_text(found) + assumed)
    return 0


def summary_text(summary: Summary) -> str:
    """Return a table of the layers and the totals below it."""
    size, kind = summary.image_size, "grey image" if summary.channels == 1 else "image in colour"
    total, trainable, rest = summary.parameters
    figures = {
        "parameters, with batch-norm statistics": total,
        "trainable": trainable,
        "not trainable (batch-norm mean and variance)": rest,
        "multiply-adds for one image": summary.multiply_adds,
    }
    width = len(f"{max(figures.values()):,}")
    lines = [f"{summary.model}, one {kind} of {size}×{size} pixels", "", *_table(summary), ""]
    return "\n".join(lines + [f"{value:>{width},}  {label}" for label, value in figures.items()])


def _table(summary: Summary) -> list[str]:
    rows = [
        (
            row.name,
            row.kind,
            "×".join(map(str, row.output)),
            _count(row.parameters),
            _count(row.multiply_adds),
        )
        for row in summary.layers
    ]
    rule = ["─" * max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
    return aligned([_HEADER, rule, *rows], left=(0, 1))


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"
