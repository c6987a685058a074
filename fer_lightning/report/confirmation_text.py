"""A search's confirmation in sentences: whether its settings are better than the default, and the winner's curse."""

from __future__ import annotations

from fer_lightning.messages import counted
from fer_lightning.report import cells
from fer_lightning.stats.arm_summary import ArmSummary
from fer_lightning.stats.verdict import BETTER, NO_DIFFERENCE, NO_SPREAD, NOT_ENOUGH, WORSE
from fer_lightning.stats.winners_curse import Claim, Confirmed

_ORDER = (BETTER, WORSE, NO_DIFFERENCE, NO_SPREAD, NOT_ENOUGH)


def confirmation_sentences(found: Confirmed) -> list[tuple[str, str]]:
    """One sentence a setting, the decided ones first, each with the word of its verdict; then the winner's curse."""
    rows = [row for row in found.report.arms if row.verdict in _ORDER]
    rows.sort(key=lambda row: _ORDER.index(row.verdict))
    sentences = [(row.verdict, _sentence(found, row)) for row in rows]
    return [*sentences, *((NOT_ENOUGH, line) for line in curse_lines(found))]


def _sentence(found: Confirmed, row: ArmSummary) -> str:
    report, default = found.report, f"the {found.report.baseline}"
    name = row.arm
    if row.effect is None or row.verdict == NOT_ENOUGH:
        have = 0 if row.effect is None else row.effect.n_runs
        return (
            f"Not enough seeds to judge {name}: {have} in common with {default}, "
            f"of {report.rules.min_seeds} that it takes."
        )
    difference = f"{cells.difference(report, row)}{cells.unit(report)}"
    over = f"over {counted(len(row.effect.seeds), 'seed')}"
    match row.verdict:
        case "better" | "worse":
            text = f"is {row.verdict} than {default} by {difference}, {over}"
            return f"{name[0].upper()}{name[1:]} {text}."
        case "no spread between seeds":
            return f"Every seed gives the same difference between {name} and {default}: {difference}, {over}."
    return f"No difference found between {name} and {default}: {difference}, {over}."


def curse_lines(found: Confirmed) -> list[str]:
    """What each claim of the search has come to, and by how much they were too good on average."""
    lines = [_claim_line(found, claim) for claim in found.claims]
    mean = found.mean_too_good
    if mean is not None and len(found.claims) > 1:
        size, unit = cells.number(found.report, abs(mean)), cells.unit(found.report)
        lines.append(
            f"Winner's curse: on average the search's values of these {len(found.claims)} settings were {size}{unit} "
            f"{'better' if mean >= 0 else 'worse'} than what was confirmed."
        )
    return lines


def _claim_line(found: Confirmed, claim: Claim) -> str:
    report, row = found.report, found.report.arm(claim.arm)
    gap = found.too_good(claim)
    size = f"{cells.number(report, abs(gap))}{cells.unit(report)}"
    compared = "as claimed" if gap == 0 else f"{size} {'worse' if gap > 0 else 'better'} than claimed"
    return (
        f"The search claimed {report.objective.shown(claim.claimed)} for {claim.arm} in one run; over "
        f"{counted(claim.n_seeds, 'new seed')} it is {cells.mean_sd(report, row)}, {compared}."
    )
