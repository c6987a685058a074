"""What a search's claims are worth: the values by which its settings were chosen, beside those of new seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_lightning.stats.ablation import AblationReport


@dataclass(frozen=True)
class Claim:
    """A setting of a search and what became of it.

    Attributes
    ----------
    arm : of the confirmation
    claimed : the value of the search's one run, by which the setting was chosen
    confirmed : the mean over the confirming seeds
    n_seeds : how many these are
    """

    arm: str
    claimed: float
    confirmed: float
    n_seeds: int


@dataclass(frozen=True)
class Confirmed:
    """A search's confirmation, judged.

    Attributes
    ----------
    report : the settings as arms, the configuration's own as the baseline
    claims : of the chosen settings, the search's best first; without those of which no confirming run is complete
    """

    report: AblationReport
    claims: tuple[Claim, ...]

    def too_good(self, claim: Claim) -> float:
        """By how much a claim was better than what was confirmed, negative where it was worse."""
        gap = claim.claimed - claim.confirmed
        return gap if self.report.objective.higher_is_better else -gap

    @property
    def mean_too_good(self) -> float | None:
        """The winner's curse: the mean over all claims; None without one.

        A best of many is picked for its luck as well, which a new seed does not share.
        """
        gaps = [self.too_good(claim) for claim in self.claims]
        return sum(gaps) / len(gaps) if gaps else None


def claims_of(report: AblationReport, claimed: Sequence[tuple[str, float]]) -> tuple[Claim, ...]:
    """Set each arm's claimed value beside the mean that its report has."""
    rows = {row.arm: row for row in report.arms}
    found = [(arm, value, rows[arm]) for arm, value in claimed if arm in rows and rows[arm].seeds]
    return tuple(Claim(arm, value, row.mean, len(row.seeds)) for arm, value, row in found)
