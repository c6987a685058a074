"""The part on what is taken for what."""

from __future__ import annotations

import numpy as np

from fer_lightning.evaluation.predict_pictures import predict_pictures
from fer_lightning.explain.class_table import class_cells, class_table
from fer_lightning.explain.confusion import confused_pairs, counts_table
from fer_lightning.explain.confusion_difference import confusion_difference
from fer_lightning.explain.mistakes import mistakes
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.subject import Subject
from fer_lightning.messages import counted
from fer_lightning.plots.confusion import plot_confusion, plot_confusion_difference
from fer_lightning.plots.mistaken_faces import plot_confused_pairs, plot_mistakes
from fer_lightning.runs.confusion_counts import confusion
from fer_lightning.runs.files import write_json


def make(subject: Subject, options: Options, section: Section) -> None:
    """Draw the confusion matrix, a table of each class, the most confused pairs and the surest mistakes."""
    predictions = subject.predictions
    found = confusion(predictions)
    write_json(
        section.folder / "confusion.json",
        {"class_names": list(found.class_names), "counts": found.counts.tolist()},
    )
    rows = class_table(found)
    faces = counted(int(found.counts.sum()), "image")
    section.says.append(f"Classified right: {100 * found.accuracy:.1f} % of {faces} ({subject.title}).")
    weak = [row.name for row in rows if row.weak]
    if weak:
        section.says.append(f"Under 60 % recall: {', '.join(weak)}.")
    section.draw(
        plot_confusion(found, title=f"Confusion matrix: {subject.title}"),
        "confusion",
        "Rows are true classes, columns what the network says; colours and percentages are shares of the row.",
    )
    section.tabulate("For each class its recall and what it is most often taken for.", *class_cells(rows))
    header, counts = counts_table(found)
    section.tabulate("Counts.", header, [[str(cell) for cell in row] for row in counts])
    images = subject.images(np.arange(len(predictions.labels)))
    pairs = confused_pairs(found, limit=3)
    if pairs:
        section.draw(
            plot_confused_pairs(pairs, predictions, images, title=f"Most confused classes: {subject.title}"),
            "confused_pairs",
            "For the classes that are confused most, in both directions, the images with the least probability of "
            "their own class.",
        )
    worst = mistakes(predictions, 12)
    if worst:
        section.draw(
            plot_mistakes(worst, images, found.class_names, title=f"Misclassified images: {subject.title}"),
            "mistakes",
            "The images whose own class was given the least probability, each with all probabilities and the "
            "runner-up: often images that are labelled wrongly, or cannot be told.",
        )
    if subject.compared is not None:
        other = predict_pictures(subject.compared, subject.pictures)
        section.draw(
            plot_confusion_difference(confusion_difference(other, predictions)),
            "confusion_difference",
            "This model's matrix minus that of the model it is compared with, in points of the true class.",
        )
