"""The part on regions of the face: what is lost when eyes, mouth and others are covered."""

from __future__ import annotations

import numpy as np

from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.region_effects import effect_cells, effect_sentence
from fer_lightning.explain.subject import Subject
from fer_lightning.plots.regions import plot_regions


def balanced_rows(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return about ``count`` rows, as many of each class as there are, int64 ascending."""
    random = np.random.default_rng(seed)
    classes = np.unique(labels)
    each = -(-count // len(classes))
    rows = [random.permutation(np.flatnonzero(labels == label))[:each] for label in classes]
    return np.sort(np.concatenate(rows))


def make(subject: Subject, options: Options, section: Section) -> None:
    """Cover the regions of faces, boxes of the same size elsewhere, and do so on an untrained network too."""
    labels = subject.predictions.labels
    rows = balanced_rows(labels, options.region_faces, options.seed)
    effects = options.regions(
        subject.module, subject.tensor(subject.images(rows)), labels[rows], subject.class_names
    )
    mean = np.nan_to_num(effects.excess.mean[-1])
    for column in np.argsort(-mean)[:3]:
        section.says.append(effect_sentence(effects, "all", effects.regions[column]))
    section.says.append(
        "The boxes are those of FER2013's mean faces: they hold on average, not for a single face, and only for faces "
        "that are registered like FER2013's."
    )
    section.draw(
        plot_regions(effects, title=f"What covering a region costs: {subject.title}"),
        "regions",
        "What each class loses when a region is covered, beside boxes of the same size elsewhere and beside the "
        "same network untrained.",
    )
    section.tabulate("The same in numbers, in points.", *effect_cells(effects))
