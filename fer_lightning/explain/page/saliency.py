"""The part on where a decision comes from in a face, with the checks of every method."""

from __future__ import annotations

import numpy as np

from fer_lightning.errors import ConfigError
from fer_lightning.explain.face_selection import (
    balanced_correct,
    one_of_each_class,
    without_correct,
    worst_mistakes,
)
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.saliency_methods import Method, attributions
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.trust_checks import TrustReport, check_trust, methods_for
from fer_lightning.messages import counted, progress
from fer_lightning.plots.saliency import plot_saliency
from fer_lightning.plots.trust import plot_trust, trust_data
from fer_lightning.runs.files import write_json, write_text

UNCHECKED = "not checked"
WHAT = {
    "right": "One correctly classified image of each class that has one, of median confidence: the image, what "
    "counts for its class, and the image masked to the fifth that counts most.",
    "wrong": "The mistakes that the network is surest of, with what counts for the class that it says.",
    "asked": "The images that were asked for, with what counts for the class that the network says.",
}


def asked_methods(subject: Subject, options: Options, section: Section) -> list[Method]:
    """Return the methods asked for, by default all that go with the network."""
    names = list(options.methods) or methods_for(subject.module)
    possible = methods_for(subject.module)
    if "grad_cam" not in possible:
        section.left_out.append("grad_cam: needs a convolution, and this network has none")
    return [options.method(name) for name in names if name != "grad_cam" or name in possible]


def make(subject: Subject, options: Options, section: Section) -> None:
    """Check the methods, then draw each of them on one right face of every class and on the surest mistakes."""
    methods = asked_methods(subject, options, section)
    logits, labels = subject.predictions.logits, subject.predictions.labels
    right = one_of_each_class(logits, labels)
    chosen = np.array(list(right.values()), np.int64)
    if missing := without_correct(right, subject.class_names):
        section.says.append(missing)
    report = _checked(subject, options, methods, section) if options.trust and right else None
    wrong = worst_mistakes(logits, labels, 7)
    asked = subject.rows_of(options.ids)
    summary = []
    for method in progress(methods, "methods drawn"):
        caption = report.caption(method.name) if report else f"{method.name}: {UNCHECKED}"
        for kind, rows in (("right", chosen), ("wrong", wrong), ("asked", asked)):
            if len(rows):
                _draw(subject, section, method, rows, caption, kind)
        word = report[method.name].verdict if report else UNCHECKED
        summary.append(
            {"method": method.name, "settings": method.settings, "verdict": word, "caption": caption}
        )
    write_json(section.folder / "saliency.json", summary)


def _checked(
    subject: Subject, options: Options, methods: list[Method], section: Section
) -> TrustReport | None:
    rules = options.rules
    chosen = balanced_correct(subject.predictions.logits, subject.predictions.labels, rules.faces, rules.seed)
    if len(chosen) < 2:
        section.left_out.append(
            f"the checks: {counted(len(chosen), 'image')} classified right, at least 2 are needed"
        )
        return None
    report = check_trust(
        subject.module,
        subject.tensor(subject.images(chosen)),
        subject.predictions.labels[chosen],
        methods,
        rules,
        data=subject.pictures.name,
        synthetic=subject.pictures.synthetic,
    )
    write_json(section.folder / "trust.json", report.to_dict())
    write_text(section.folder / "trust.csv", report.to_csv())
    trusted = [method.name for method in methods if report[method.name].verdict == "trusted"]
    section.says.append(
        f"{report.settings()}. {report.asked()}. Trusted here: {', '.join(trusted) if trusted else 'none'}."
    )
    section.draw(
        plot_trust(trust_data(report)),
        "trust",
        "Every method's checks beside two controls that know nothing of the network: noise, and the image's edges.",
    )
    return report


def _draw(
    subject: Subject, section: Section, method: Method, rows: np.ndarray, caption: str, kind: str
) -> None:
    names = subject.class_names
    labels = subject.predictions.labels[rows]
    predicted = subject.predictions.logits[rows].argmax(1)
    images = subject.images(rows)
    try:
        found = attributions(subject.module, subject.tensor(images), predicted, method)
    except ConfigError as error:
        section.left_out.append(f"{method.name}: {error}")
        return
    titles = [
        names[a] if a == b else f"{names[a]}\nas {names[b]}" for a, b in zip(labels, predicted, strict=True)
    ]
    note = f"{method.settings}; {subject.title}" if method.settings else subject.title
    parts = ("face", "map", "masked") if kind == "right" else ("face", "overlay")
    drawn = plot_saliency(images, found.maps, titles, verdict=caption, note=note, parts=parts)
    section.draw(drawn, f"{method.name}_{kind}", WHAT[kind], caption)
