"""The part on the images that the network takes for each class most of all."""

from __future__ import annotations

from fer_lightning.explain.class_image_ascent import class_images
from fer_lightning.explain.class_statistics import largest_logits, mean_faces
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.subject import Subject
from fer_lightning.plots.class_images import class_image_sheet


def make(subject: Subject, options: Options, section: Section) -> None:
    """Draw images of every class: without and with regularisation from noise, and guided by the mean faces."""
    size, model = subject.image_size, subject.module
    seeds = tuple(range(options.seed, options.seed + 3))
    channels = subject.channels
    kinds = [
        class_images(model, size, channels=channels, seeds=seeds[:1], regularised=False),
        class_images(model, size, channels=channels, seeds=seeds),
    ]
    real = None
    if subject.known_pictures is not None:
        start = mean_faces(subject.batches(), len(subject.class_names))
        kinds.append(class_images(model, size, channels=channels, seeds=seeds[:1], start=start))
        real = largest_logits(model, subject.batches()).cpu().numpy()
    section.draw(
        class_image_sheet(kinds, subject.class_names, real, synthetic=subject.synthetic),
        "class_images",
        "Images made to maximise each class's logit. Without regularisation they are noise that the network is sure "
        "of; with it, patterns that hold under small shifts and turns. One marked < images reached less than an image "
        "does: the search failed there, and the image shows nothing of its class. Images that started from the mean "
        "faces are labelled as guided: what looks like a face in them may come from the start. A logit far above that "
        "of every real face says that the image is nothing the network was trained for.",
    )
