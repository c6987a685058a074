"""What the checks found of every method: as a table, as plain values, and as one line for a caption."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from fer_lightning.data.label import data_label
from fer_lightning.explain.fill import fill_words
from fer_lightning.explain.trust_checks.estimate import Estimate
from fer_lightning.explain.trust_checks.trust_rules import TrustRules
from fer_lightning.explain.trust_checks.trust_verdict import CHECKS, CONTROL, NOT_CHECKED, TOO_FEW
from fer_lightning.messages import aligned

COLUMNS: Final = {
    "faithfulness": "insertion-deletion",
    "redrawn": "redrawn weights",
    "other_class": "another class",
    "completeness": "completeness error",
}


@dataclass(frozen=True, eq=False)
class MethodTrust:
    """One method's checks.

    Attributes
    ----------
    name, settings
        The method and its settings in words.
    checks
        Estimates by name, of ``CHECKS``: ``faithfulness`` is insertion minus deletion, ``over_edges`` and
        ``over_random`` its paired difference to the controls', ``redrawn`` and ``other_class`` similarities,
        ``completeness`` the error as a share of the mean change of logit.
    verdict
        In a few words.
    scores
        float64 ``[N]`` a check: the single faces.
    seconds
        What the checks took.
    """

    name: str
    settings: str
    checks: dict[str, Estimate]
    verdict: str
    scores: dict[str, np.ndarray] = field(repr=False)
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class TrustReport:
    """Every method's checks, the controls' among them.

    Attributes
    ----------
    methods
        In the order they were given, controls last.
    rules
        Settings and thresholds.
    faces
        Number of faces.
    data, synthetic
        Name of the data, and whether they were drawn by a program.
    """

    methods: tuple[MethodTrust, ...]
    rules: TrustRules
    faces: int
    data: str = ""
    synthetic: bool = False

    def __getitem__(self, name: str) -> MethodTrust:
        return next(each for each in self.methods if each.name == name)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self.methods)

    def caption(self, name: str) -> str:
        """Return the method's verdict as one line, with the numbers behind its gravest word."""
        if name not in self:
            return f"{name}: {NOT_CHECKED}"
        found = self[name]
        if found.verdict == TOO_FEW:
            return f"{name}: {TOO_FEW} to check it ({self.faces}, needs {self.rules.least_faces})"
        numbers = [f"insertion−deletion {found.checks['faithfulness']}"]
        if found.verdict != CONTROL:
            numbers += [
                f"{control} {self[control].checks['faithfulness'].mean:+.2f}" for control in self._controls
            ]
        for word, check, text in (
            ("not of these weights", "redrawn", "similarity under redrawn weights"),
            ("not of this class", "other_class", "similarity to another class"),
            ("does not add up", "completeness", "completeness error"),
        ):
            if word in found.verdict:
                numbers.append(f"{text} {found.checks[check]}")
        return f"{name}: {found.verdict} ({', '.join(numbers)})"

    @property
    def _controls(self) -> list[str]:
        return [name for name in ("sobel", "random") if name in self]

    def settings(self) -> str:
        """Return how it was checked, in one line."""
        rules = self.rules
        data = data_label(self.data, self.synthetic)
        where = f" of {data}" if data else ""
        return (
            f"{self.faces} correctly classified images{where}; {100 * rules.confidence:g} % bootstrap intervals "
            f"over images; {rules.score} followed, pixels replaced by {fill_words(rules.fill)}; "
            f"similarity: {rules.similarity}"
        )

    def to_text(self) -> str:
        """Return the table for the terminal, then how it was checked and what is asked."""
        rows = [["method", *COLUMNS.values(), "verdict"]]
        for each in self.methods:
            cells = [str(each.checks[check]) if check in each.checks else "–" for check in COLUMNS]
            rows.append([each.name, *cells, each.verdict])
        lines = aligned(rows, left=range(len(rows[0])))
        return "\n".join([*lines, "", f"{self.settings()}.", f"{self.asked()}."]) + "\n"

    def asked(self) -> str:
        """Return the thresholds in one line."""
        rules = self.rules
        return (
            "Trusted: insertion-deletion above that of edges by more than "
            f"{rules.min_gain_over_edges:g} and of noise by more than {rules.min_gain_over_random:g}; similarity at "
            f"most {rules.max_redrawn_similarity:g} under redrawn weights and {rules.max_class_similarity:g} to "
            f"another class; completeness error at most {rules.max_completeness_error:g}; each with the whole interval"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; single faces are left out."""
        return {
            "data": self.data,
            "synthetic": self.synthetic,
            "faces": self.faces,
            "rules": asdict(self.rules),
            "methods": {
                each.name: {
                    "verdict": each.verdict,
                    "settings": each.settings,
                    "seconds": round(each.seconds, 3),
                    "checks": {check: asdict(estimate) for check, estimate in each.checks.items()},
                    "caption": self.caption(each.name),
                }
                for each in self.methods
            },
        }

    def to_csv(self) -> str:
        """Return one row a method, with mean, low and high of each check; what was not asked is empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        parts = ("mean", "low", "high")
        writer.writerow(["method", "verdict", *(f"{check}_{part}" for check in CHECKS for part in parts)])
        for each in self.methods:
            found = [
                f"{getattr(each.checks[check], part):.6g}" if check in each.checks else ""
                for check in CHECKS
                for part in parts
            ]
            writer.writerow([each.name, each.verdict, *found])
        return stream.getvalue()
