"""The part on a person's own pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from fer_lightning.errors import ConfigError
from fer_lightning.explain.face_selection import probabilities
from fer_lightning.explain.layer_outputs import feature_maps, kinds_of_layers
from fer_lightning.explain.page.feature_maps import MAPS_OF
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.saliency import UNCHECKED, asked_methods
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.saliency_methods import attributions
from fer_lightning.explain.subject import Subject
from fer_lightning.messages import progress
from fer_lightning.plots.feature_maps import feature_map_sheet
from fer_lightning.plots.saliency import plot_saliency

SHOWN = 7  # pictures beside one another in a figure
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
    count, shown = len(subject.own.paths), options.own_pictures
    if count > shown:
        section.left_out.append(
            f"explained are the first {shown} of {count} pictures; own_pictures={count} explains all of them"
        )
    images, predicted = subject.own.images[:shown], predicted[:shown]
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
        says = "Each picture, what counts for its predicted class, and the fifth of it that counts most."
        _draw_sheets(section, f"own_{method.name}", says, images, maps, titles, caption, note)
    _draw_lime(subject, options, section, images, predicted, titles)
    _draw_feature_maps(subject, section, images, titles)


def _draw_sheets(
    section: Section,
    name: str,
    says: str,
    images: np.ndarray,
    maps: np.ndarray,
    titles: list[str],
    caption: str,
    note: str,
) -> None:
    """Draw `SHOWN` pictures a figure."""
    for start in range(0, len(images), SHOWN):
        part = slice(start, start + SHOWN)
        drawn = plot_saliency(images[part], maps[part], titles[part], verdict=caption, note=note)
        section.draw(drawn, _numbered(name, start // SHOWN), says, caption)


def _draw_feature_maps(subject: Subject, section: Section, images: np.ndarray, titles: list[str]) -> None:
    for number, (image, title) in enumerate(zip(images, titles, strict=False)):
        try:
            maps = feature_maps(subject.module, subject.tensor(image[None]))
        except ConfigError as error:
            section.left_out.append(f"feature maps: {error}")
            return
        name = title.replace("\n", ", ")
        section.draw(
            feature_map_sheet(maps, image, title=name, kinds=kinds_of_layers(subject.module, maps)),
            _numbered("own_feature_maps", number),
            f"{name}: {MAPS_OF}.",
        )


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}_{number + 1}"


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
    caption = f"lime: weights from two draws of coverings agree with rank correlation {_span(stable)} (1: same order)"
    note = f"{NOTE}; superpixels covered with {found[0].fill}"
    says = "LIME: the superpixels that speak for the predicted class."
    _draw_sheets(section, "own_lime", says, images, maps, titles, caption, note)


def _span(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _captions(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    methods = json.loads(path.read_text(encoding="utf-8"))["methods"]
    return {name: str(found["caption"]) for name, found in methods.items()}


def _short(name: str, longest: int = 12) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
