"""What a method's checks add up to, in a few words."""

from __future__ import annotations

from typing import Final

from fer_lightning.explain.trust_checks.estimate import Estimate
from fer_lightning.explain.trust_checks.trust_rules import TrustRules

CHECKS: Final = ("faithfulness", "over_edges", "over_random", "redrawn", "other_class", "completeness")

FAILED_BY: Final = {
    "faithfulness": ("not better than chance", "not better than edges"),
    "redrawn": ("not of these weights",),
    "other_class": ("not of this class",),
    "completeness": ("does not add up",),
}
"""The words that a method earns by not passing a check."""

TRUSTED: Final = "trusted"
CONTROL: Final = "control"
TOO_FEW: Final = "not enough images"
NOT_CHECKED: Final = "not checked"


def failures(checks: dict[str, Estimate], rules: TrustRules) -> tuple[str, ...]:
    """Return the words of the checks that a method does not pass with its whole interval, gravest first.

    Parameters
    ----------
    checks
        Some of ``CHECKS``; one that is not there is not asked.
    """
    words = []
    edges, random = checks.get("over_edges"), checks.get("over_random")
    if random is not None and not random.low > rules.min_gain_over_random:
        words.append("not better than chance")
    elif edges is not None and not edges.low > rules.min_gain_over_edges:
        words.append("not better than edges")
    for check, limit, word in (
        ("redrawn", rules.max_redrawn_similarity, "not of these weights"),
        ("other_class", rules.max_class_similarity, "not of this class"),
        ("completeness", rules.max_completeness_error, "does not add up"),
    ):
        if check in checks and not checks[check].high <= limit:
            words.append(word)
    return tuple(words)


def verdict(checks: dict[str, Estimate], rules: TrustRules, faces: int, *, control: bool = False) -> str:
    """Return ``trusted``, or what stands against it; of a control, and of too few faces, that they are such."""
    if control:
        return CONTROL
    if faces < rules.least_faces:
        return TOO_FEW
    return ", ".join(failures(checks, rules)) or TRUSTED
