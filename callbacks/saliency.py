"""Where the classifier's decision comes from in a face, as a saliency map of a few faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from fer_lightning.callbacks.inspection import Findings, InspectionCallback, When
from fer_lightning.config.values import Count, checked
from fer_lightning.explain.face_selection import (
    balanced_correct,
    drawn_of_each_class,
    one_of_each_class,
    probabilities,
    without_correct,
    worst_mistakes,
)
from fer_lightning.explain.subject import Subject
from fer_lightning.plots.saliency import plot_saliency
from fer_lightning.plots.style import save_figure
from fer_lightning.runs.files import write_json
from fer_lightning.runs.predictions import Predictions

Which = Literal["correct", "mistakes", "same"]
_KINDS: Final = {
    "correct": "Correctly classified images, one of each class",
    "mistakes": "Sure mistakes",
    "same": "One image of each class, the same in every run",
}


class SaliencyMaps(InspectionCallback):
    """Writes ``saliency.png`` and ``saliency.json``, and shows the picture where a logger takes it.

    Parameters
    ----------
    folder, when
        See :class:`InspectionCallback`.
    method, options
        Name of a saliency method and its options; ``gradient`` costs one forward and one backward pass.
    which
        ``correct``: one correctly classified face of each class, of median confidence; ``mistakes``: the wrong
        answers that were given with most confidence; ``same``: one face of each class, drawn by ``data.split_seed``
        alone, right or wrong, so that runs can be compared: a study shows it in place of ``correct``.
    count
        Faces of ``mistakes``.
    check
        Check the method on 49 correctly classified faces and write the verdict; without it the picture says
        "not checked". It takes from seconds to a minute, by method and network.
    """

    @checked("callbacks.saliency.")
    def __init__(
        self,
        folder: str | Path | None = None,
        when: When = "best",
        *,
        method: str = "gradient",
        options: dict[str, Any] | None = None,
        which: Which = "correct",
        count: Count = 7,
        check: bool = False,
    ) -> None:
        super().__init__(folder, when)
        self.method, self.options = method, dict(options or {})
        self.which, self.count, self.check = which, count, check
        if method != "gradient" or options:
            from fer_lightning.explain.saliency_methods import make_method

            make_method(method, **self.options)  # a mistake is met before the training, not after it

    @property
    def quick(self) -> bool:  # type: ignore[override]
        """Whether it takes one pass: the gradient, unchecked."""
        return self.method == "gradient" and not self.check

    @property
    def state_key(self) -> str:
        """Tell several of these callbacks apart."""
        return f"{type(self).__name__}-{self.method}-{self.which}-{self.when}"

    def inspect(self, subject: Subject, folder: Path) -> Findings | None:
        """Choose the faces, explain, draw and write."""
        # Here, not above: captum takes longer to import than a small run to train an epoch.
        from fer_lightning.explain.saliency_methods import attributions, make_method

        method = make_method(self.method, **self.options)
        chosen = self._choose(subject.predictions, subject.pictures.seed)
        if len(chosen) == 0:
            return None
        names, logits = subject.class_names, subject.predictions.logits[chosen]
        true, predicted = subject.predictions.labels[chosen], logits.argmax(1)
        images = subject.images(chosen)
        found = attributions(subject.module, subject.tensor(images), predicted, method)
        settings = f" ({found.settings})" if found.settings else ""
        checked = {"verdict": "not checked", "caption": f"{found.method}{settings}: not checked"}
        if self.check:
            checked = self._verdict(subject, method)
        titles = [
            names[a] if a == b else f"{names[a]}\nas {names[b]}" for a, b in zip(true, predicted, strict=True)
        ]
        ax = plot_saliency(
            images,
            found.maps,
            titles,
            verdict=checked["caption"],
            note=self._note(subject, true),
            parts=("face", "map"),
        )
        name = "saliency_mistakes" if self.which == "mistakes" else "saliency"
        folder.mkdir(parents=True, exist_ok=True)
        place = save_figure(ax, folder / f"{name}.png", dpi=100)
        about = {"method": found.method, "settings": found.settings} | checked
        faces = {
            "data": subject.pictures.name,
            "synthetic": subject.pictures.synthetic,
            "split": subject.pictures.split,
        }
        shown = {"epoch": subject.epoch, "faces": described(subject.predictions, chosen)}
        write_json(folder / f"{name}.json", about | faces | shown)
        return Findings(images={f"saliency/{self.which}": place})

    def _choose(self, predictions: Predictions, seed: int) -> np.ndarray:
        if self.which == "same":
            return drawn_of_each_class(predictions.labels, seed)
        if self.which == "mistakes":
            return worst_mistakes(predictions.logits, predictions.labels, self.count)
        found = one_of_each_class(predictions.logits, predictions.labels)
        return np.array(list(found.values()), np.int64)

    def _note(self, subject: Subject, shown: np.ndarray) -> str:
        note = f"{_KINDS[self.which]}; {subject.title}. Yellow: each map's 99th percentile and above."
        missing = without_correct(set(shown.tolist()), subject.class_names)
        return f"{note} {missing}" if missing and self.which == "correct" else note

    def _verdict(self, subject: Subject, method: Any) -> dict[str, Any]:
        from fer_lightning.explain.trust_checks import TrustRules, check_trust

        rules = TrustRules()
        logits, labels = subject.predictions.logits, subject.predictions.labels
        chosen = balanced_correct(logits, labels, rules.faces, rules.seed)
        faces = subject.tensor(subject.images(chosen))
        report = check_trust(subject.module, faces, labels[chosen], [method], rules)
        found = report[method.name]
        return {"verdict": found.verdict, "caption": report.caption(method.name), "checked_on": report.faces}


def described(predictions: Predictions, positions: np.ndarray) -> list[dict[str, Any]]:
    """Return of each face its name in its source, true and predicted class, and the latter's probability."""
    names, ids = predictions.class_names, predictions.ids
    return [
        {
            "id": "" if ids is None else str(ids[position]),
            "true": names[predictions.labels[position]],
            "predicted": names[int(row.argmax())],
            "probability": round(float(row.max()), 4),
        }
        for position, row in zip(positions, probabilities(predictions.logits[positions]), strict=True)
    ]
