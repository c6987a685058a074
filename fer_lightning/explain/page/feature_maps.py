"""The part on what the layers make of a face, from the first block to the last."""

from __future__ import annotations

from fer_lightning.explain.face_selection import one_of_each_class
from fer_lightning.explain.layer_outputs import feature_maps, kinds_of_layers
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.subject import Subject
from fer_lightning.plots.feature_maps import feature_map_sheet

MAPS_OF = "the outputs of each block, or of each convolution where blocks are no modules"


def make(subject: Subject, options: Options, section: Section) -> None:
    """Draw the maps of every block for one face that is classified right, of the class that is known best."""
    logits, labels = subject.predictions.logits, subject.predictions.labels
    right = one_of_each_class(logits, labels)
    if not right:
        section.left_out.append("no image is classified right")
        return
    best = max(right, key=lambda label: float((logits.argmax(1) == labels)[labels == label].mean()))
    face = subject.images([right[best]])[0]  # type: ignore[arg-type]
    maps = feature_maps(subject.module, subject.tensor(face[None]))
    ids = subject.predictions.ids
    title = f"{subject.class_names[best]}, {ids[right[best]] if ids is not None else ''}; {subject.title}"
    section.draw(
        feature_map_sheet(
            maps,
            face,
            title=title,
            synthetic=subject.synthetic,
            kinds=kinds_of_layers(subject.module, maps),
        ),
        "feature_maps",
        f"One image: {MAPS_OF}; edges and parts near the input, coarse summaries near the decision.",
    )
