"""The part on superpixels: which pieces of a face speak for which class."""

from __future__ import annotations

from fer_lightning.explain.face_selection import one_of_each_class, without_correct
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.subject import Subject
from fer_lightning.messages import progress
from fer_lightning.plots.lime import plot_lime
from fer_lightning.runs.confusion_counts import confusion


def make(subject: Subject, options: Options, section: Section) -> None:
    """Explain one right face of each class for all classes, beside its row of the confusion matrix."""
    right = one_of_each_class(subject.predictions.logits, subject.predictions.labels)
    if not right:
        section.left_out.append("no image is classified right")
        return
    if missing := without_correct(right, subject.class_names):
        section.says.append(missing)
    images = subject.tensor(subject.images(list(right.values())))  # type: ignore[arg-type]
    found = [options.lime(subject.module, image) for image in progress(images, "images", len(images))]
    section.draw(
        plot_lime(found, list(right), confusion(subject.predictions), title=f"LIME: {subject.title}"),
        "lime",
        "One correctly classified image of each class that has one: superpixels that speak for each class (orange) or "
        "against it (purple), beside what images of its class are taken for. How stable the weights are between two "
        "draws, how well the linear model fits, and what covered the superpixels stand beside each image.",
    )
