"""``python -m fer_lightning summary model=vgg16``: every layer with its output size and parameters."""

from __future__ import annotations

from fer_lightning.config.compose import compose_config
from fer_lightning.models.layer_summary import model_summary
from fer_lightning.training.build import build_model


def main(arguments: list[str]) -> int:
    """Print the summary of the composed model; 48×48 faces and seven classes unless the model says otherwise."""
    config = compose_config(arguments)
    size = config.model.get("image_size") or config.data.image_size
    classes = config.model.get("num_classes") or 7
    model = build_model(config.model, image_size=size, num_classes=classes)
    print(model_summary(model, image_size=size))
    return 0
