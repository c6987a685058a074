"""The part on what the filters look for."""

from __future__ import annotations

import numpy as np

from fer_lightning.errors import ConfigError
from fer_lightning.explain.activation_maximization import Ascent, gradient_ascent
from fer_lightning.explain.duplicate_filters import repeated_filters
from fer_lightning.explain.layers import convolutions
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.pre_activation import filter_layers, pre_activation
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.top_faces import top_faces
from fer_lightning.plots.filters import filter_sheet
from fer_lightning.plots.top_face_rows import most_selective, top_faces_sheet

COMPARED = 256  # faces whose activations the images are compared with


def make(subject: Subject, options: Options, section: Section) -> None:
    """Draw the image that drives each filter most, and the faces that do, layer by layer."""
    if options.layers:
        layers = list(options.layers)
    elif convolutions(subject.module):
        layers = filter_layers(subject.module, images=subject.blank)
    else:
        raise ConfigError("the network has no convolution; layer=NAME shows the units of a dense layer")
    faces = None
    if subject.known_pictures is not None:
        rows = np.arange(min(COMPARED, len(subject.positions)))
        faces = subject.tensor(subject.images(rows))
    for number, layer in enumerate(layers):
        count = _filters(subject, layer)
        shown = range(min(count, options.filters))
        if count > len(shown):
            section.left_out.append(
                f"{layer}: filters {len(shown)} to {count - 1}; filters={count} shows all"
            )
        ascent = gradient_ascent(
            subject.module,
            layer,
            subject.image_size,
            channels=subject.channels,
            filters=shown,
            seed=options.seed,
            faces=faces,
        )
        groups = _repeats(subject, layer, options, list(shown)) if number == 0 else []
        name = layer.removeprefix("model.")
        section.draw(
            filter_sheet(ascent, groups, synthetic=subject.synthetic),
            f"filters_{name}",
            f"{name}: for each filter the image that drives it most, found by gradient ascent from noise."
            + (" Filters with the same letter repeat one another." if groups else ""),
        )
        if subject.known_pictures is not None:
            _draw_faces(subject, section, layer, ascent)


def _filters(subject: Subject, layer: str) -> int:
    module = pre_activation(subject.module, layer)
    for name in ("num_features", "out_channels", "out_features", "num_channels"):
        if hasattr(module, name):
            return int(getattr(module, name))
    raise ConfigError(f"layer={layer}: expected a convolution or a dense layer")


def _repeats(subject: Subject, layer: str, options: Options, shown: list[int]) -> list[list[int]]:
    """Group the filters of a layer by the pattern in their receptive field."""
    unit = gradient_ascent(
        subject.module,
        layer,
        subject.image_size,
        channels=subject.channels,
        filters=shown,
        objective="unit",
        smooth=0.0,
        seed=options.seed,
    )
    return repeated_filters(unit.patterns)


def _draw_faces(subject: Subject, section: Section, layer: str, ascent: Ascent) -> None:
    found = top_faces(subject.module, layer, subject.batches(), subject.class_names)
    rows = [row for row in most_selective(found, 8) if row in set(ascent.filters.tolist())]
    name = layer.removeprefix("model.")
    if rows:
        places = [ascent.filters.tolist().index(row) for row in rows]
        section.draw(
            top_faces_sheet(
                found,
                subject.pictures.images(found.positions[rows].ravel()),
                rows,
                ascent.images[places],
                synthetic=subject.pictures.synthetic,
            ),
            f"faces_{name}",
            f"{name}: the filters that tell a class best, each with the images of the {subject.pictures.split} split "
            "that drive it most.",
        )
