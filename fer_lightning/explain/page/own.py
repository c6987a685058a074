"""The part on a person's own pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from fer_lightning.errors import ConfigError
from fer_lightning.explain.face_selection import probabilities
from fer_lightning.explain.layer_outputs import feature_maps
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.saliency import UNCHECKED, asked_methods
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.saliency_methods import attributions
from fer_lightning.explain.subject import Subject
from fer_lightning.messages import progress
from fer_lightning.plots.feature_maps import feature_map_sheet
from fer_lightning.plots.saliency import plot_saliency

SHOWN = 7  # pictures beside one another
NOTE = "own pictures"


def make(subject: Subject, options: Options, section: Section) -> None:
    """Say what the network takes the pictures for, and explain them by every method."""
    assert subject.own is not None
    section.left_out += [*subject.own.problems, *subject.own.notes]
    names = subject.class_names
    with torch.no_grad():
        logits = subject.module(subject.tensor(subject.own.images)).float().cpu().numpy()
    shares, predicted = probabilities(logits), logits.argmax(1)
    rows = [
        [path.name, names[guess], *(f"{100 * share:.1f}" for share in row)]
        for path, guess, row in zip(subject.own.paths, predicted, shares, strict=True)
    ]
    section.tabulate("Probabilities in %.", ["picture", "predicted", *names], rows)
    images, predicted = subject.own.images[:SHOWN], predicted[:SHOWN]
    if len(subject.own.paths) > SHOWN:
        section.left_out.append(f"saliency: shown for the first {SHOWN} of {len(subject.own.paths)} pictures")
    titles = [
        f"{_short(path.stem)}\n{names[guess]} {100 * row[guess]:.0f} %"
        for path, guess, row in zip(subject.own.paths, predicted, shares, strict=False)
    ]
    captions = _captions(section.folder.parent / "saliency" / "trust.json")
    for method in progress(asked_methods(subject, options, section), "methods drawn"):
        try:
            maps = attributions(subject.module, subject.tensor(images), predicted, method).maps
        except ConfigError as error:
            section.left_out.append(f"{method.name}: {error}")
            continue
        caption = captions.get(method.name, f"{method.name}: {UNCHECKED}")
        note = f"{NOTE}; {method.settings}" if method.settings else NOTE
        drawn = plot_saliency(images, maps, titles, verdict=caption, note=note)
        says = "Each picture, what counts for its predicted class, and the fifth of it that counts most."
        section.draw(drawn, f"own_{method.name}", says, caption)
    _draw_lime(subject, options, section, images, predicted, titles)
    try:
        maps_of = feature_maps(subject.module, subject.tensor(images[:1]))
    except ConfigError as error:
        section.left_out.append(f"feature maps: {error}")
        return
    section.draw(
        feature_map_sheet(maps_of, images[0], title=titles[0].replace("\n", ", ")),
        "own_feature_maps",
        "The outputs of each block for the first picture.",
    )


def _draw_lime(
    subject: Subject,
    options: Options,
    section: Section,
    images: np.ndarray,
    predicted: np.ndarray,
    titles: list[str],
) -> None:
    pictures = progress(subject.tensor(images), "LIME of pictures", len(images))
    found = [options.lime(subject.module, image) for image in pictures]
    maps = np.stack(
        [np.maximum(each.map(int(guess)), 0.0) for each, guess in zip(found, predicted, strict=True)]
    )
    stable = [each.stability[int(guess)] for each, guess in zip(found, predicted, strict=True)]
    caption = f"lime: rank correlation of two draws {min(stable):.2f} to {max(stable):.2f}; covered by {found[0].fill}"
    section.draw(
        plot_saliency(images, maps, titles, verdict=caption, note=NOTE),
        "own_lime",
        "LIME: the superpixels that speak for the predicted class.",
        caption,
    )


def _captions(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    methods = json.loads(path.read_text(encoding="utf-8"))["methods"]
    return {name: str(found["caption"]) for name, found in methods.items()}


def _short(name: str, longest: int = 12) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
