"""How the numbers of a report read: the same words in the terminal, in Markdown and in the figure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable

from fer_lightning.data.label import data_label
from fer_lightning.messages import counted
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_summary import ArmSummary
from fer_lightning.stats.power import MAX_SEEDS

NONE = "–"
# A command for more seeds is not given.
_MOST_RUN = 40
NOTHING_REAL = "faces drawn by a program; nothing here is a finding about real faces"


def number(report: AblationReport, value: float, *, signed: bool = False) -> str:
    """Show a value of the metric without its unit: a share in per cent with two decimals."""
    return NONE if math.isnan(value) else report.objective.text(value, signed=signed)


def repeats(report: AblationReport, row: ArmSummary) -> str:
    """How many seeds are complete, and on how many folds each."""
    return f"{len(row.seeds)}" if report.folds == 1 else f"{len(row.seeds)} × {report.folds} folds"


def mean_sd(report: AblationReport, row: ArmSummary) -> str:
    """Mean ± standard deviation over seeds."""
    if not row.seeds:
        return NONE
    mean = number(report, row.mean)
    return mean if math.isnan(row.sd) else f"{mean} ± {number(report, row.sd)}"


def difference(report: AblationReport, row: ArmSummary) -> str:
    """Paired difference and its interval, e.g. ``+1.20 [-0.30, +2.70]``."""
    if row.effect is None:
        return NONE
    mean = number(report, row.effect.mean, signed=True)
    if math.isnan(row.effect.low):
        return mean
    low, high = (number(report, bound, signed=True) for bound in (row.effect.low, row.effect.high))
    return f"{mean} [{low}, {high}]"


def p_value(p: float) -> str:
    """Show a p-value with three decimals."""
    if math.isnan(p):
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def seconds(value: float) -> str:
    """Seconds of one run."""
    if math.isnan(value):
        return NONE
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def left_out(row: ArmSummary) -> str:
    """Runs that no number counts: pruned (P), failed (F), unfinished (U)."""
    counts = ((row.n_pruned, "P"), (row.n_failed, "F"), (row.n_unfinished, "U"))
    return " ".join(f"{n}{letter}" for n, letter in counts if n) or NONE


def duration(value: float) -> str:
    """A span of time for a person."""
    if value < 60:
        return f"{value:.1f} s"
    minutes = value / 60
    return f"{minutes:.1f} min" if minutes < 60 else f"{minutes / 60:.1f} h"


def unit(report: AblationReport) -> str:
    """Name of the unit of differences, with a leading space; nothing where none is known."""
    return report.objective.difference_unit


def data_line(report: AblationReport) -> str:
    """What the study was done on, nothing where that is not known; synthetic data are named as such."""
    where = "in each run" if report.folds == 1 else "under each seed"
    images = f"{counted(report.n_images, 'image')} judged {where}" if report.n_images else ""
    known = ", ".join(filter(None, (report.data_name, images)))
    if report.synthetic:
        return f"{data_label(known, synthetic=True)}: {NOTHING_REAL}."
    return f"Data: {known}." if known else ""


def headline(report: AblationReport) -> str:
    """The title, and what the study was done on."""
    return " · ".join(filter(None, (report.title, data_line(report))))


def how_to_read(report: AblationReport) -> str:
    """What the numbers are."""
    rules = report.rules
    level = f"{100 * rules.confidence:g} %"
    over = "new seeds and new images" if report.n_images else "new seeds"
    over = over if report.folds == 1 else "new seeds, new images and new training images"
    tested = sum(not math.isnan(row.p_holm) for row in report.arms)
    word = (
        f"Holm-corrected over {counted(tested, 'arm')} at {100 * rules.alpha:.3g} %; "
        f"none with fewer than {rules.min_seeds} common {'seeds' if report.folds == 1 else 'runs'}"
    )
    symbol = report.objective.symbol
    name = f"{report.metric} in {symbol}" if symbol else report.metric
    name += f", {report.objective.direction_note}" if report.objective.direction_note else ""
    enough = any(row.effect is not None and row.effect.n_runs >= rules.min_seeds for row in report.arms)
    why = (
        "every seed gives the same difference"
        if enough
        else f"no arm has {counted(rules.min_seeds, 'seed')} in common with it"
    )
    return (
        f"{name}: mean ± standard deviation over seeds. "
        f"Difference: arm minus {report.baseline!r}, paired by seed, with its {level} interval for {over}. "
        f"Verdict: {word if tested else f'none, {why}'}."
    )


def cost_line(report: AblationReport) -> str:
    """Runs, their time, and those that are left out."""
    rows = report.arms
    complete = sum(len(row.seeds) for row in rows) * report.folds
    lost = {
        "pruned": sum(row.n_pruned for row in rows),
        "failed": sum(row.n_failed for row in rows),
        "unfinished": sum(row.n_unfinished for row in rows),
    }
    left = ", ".join(f"{n} {word}" for word, n in lost.items() if n) or "none"
    total = complete + sum(lost.values())
    took = "" if math.isnan(report.total_seconds) else f", {duration(report.total_seconds)}"
    ended = total - lost["unfinished"]
    runs = f"{ended} of {total} runs so far" if lost["unfinished"] else counted(total, "run")
    return f"Cost: {runs}{took}. Left out of every other number: {left}."


def failure_lines(report: AblationReport) -> list[str]:
    """Why runs failed."""
    return [f"Failed in {row.arm}: {reason}" for row in report.arms for reason in row.failures]


def single_run_lines(report: AblationReport) -> list[str]:
    """McNemar's test where an arm and the baseline share one seed only."""
    return [
        f"{row.arm}, seed {row.effect.seeds[0]} alone: {difference(report, row)}{unit(report)}, exact "
        f"McNemar test p {p_value(row.mcnemar)} (Holm); this is about these two trained models only"
        for row in report.arms
        if row.effect is not None and not math.isnan(row.mcnemar)
    ]


def add_seeds_command(command: str, seeds: Iterable[int], total: int) -> str:
    """The study's command line with `total` seeds: the present ones and the next whole numbers."""
    chosen = sorted(set(seeds))
    while len(chosen) < total:
        chosen.append(chosen[-1] + 1 if chosen else 0)
    words = [word for word in shlex.split(command) if not word.startswith("seeds=")]
    return shlex.join([*words, f"seeds=[{','.join(map(str, chosen))}]"])


def _images_limit(report: AblationReport) -> str:
    assert report.spread is not None
    seeds, images = report.spread.error_parts(MAX_SEEDS)
    return "; the number of images is the limit" if images > seeds else ""


def seeds_target(report: AblationReport) -> int | None:
    """How many seeds would answer what the present ones leave open; None where more of them would tell nothing."""
    have, least = _seeds_in_common(report), -(-report.rules.min_seeds // report.folds)
    if _has_no_spread(report):
        return None
    size, needed = report.smallest_effect, report.seeds_needed
    wanted = needed if report.spread is not None and size is not None and needed and needed > have else None
    target = wanted or (least if have < least else max(have + 2, least))
    return target if target <= _MOST_RUN else None


def _seeds_in_common(report: AblationReport) -> int:
    common = [len(row.effect.seeds) for row in report.arms if row.effect is not None]
    return max(common, default=len(report.seeds))


def _has_no_spread(report: AblationReport) -> bool:
    return {row.verdict for row in report.arms} == {"baseline", "no spread between seeds"}


def seeds_lines(report: AblationReport, *, command: bool = True) -> list[str]:
    """What the present seeds can show, how many a smaller difference would take, and, if wanted, the command."""
    rules = report.rules
    have, least = _seeds_in_common(report), -(-rules.min_seeds // report.folds)
    lines = []
    if have < least:
        lines.append(f"{counted(have, 'seed')}: too few for any verdict; it takes {least} at least.")
    elif report.detectable:  # 0 without any spread, which says nothing of other seeds
        lines.append(
            f"With {have} seed{'s' * (have != 1)} this study would find a true difference of "
            f"{number(report, report.detectable)}{unit(report)} or more with {100 * rules.power:g} % power."
        )
    if _has_no_spread(report):
        return lines  # more of them would tell nothing
    lines += _size_lines(report, have)
    target = seeds_target(report)
    if command and report.command and target is not None:
        lines.append(f"To run {target} seeds: {add_seeds_command(report.command, report.seeds, target)}")
    return lines


def _size_lines(report: AblationReport, have: int) -> list[str]:
    """How many seeds a difference of the rules' size would take."""
    size = report.smallest_effect
    if report.spread is None:
        return []
    if size is None:
        return [
            f"How many seeds a smaller difference takes is told for a size of your own, smallest_effect=…, in "
            f"{report.objective.unit or f'the unit of {report.metric}'}."
        ]
    wanted = f"{number(report, size)}{unit(report)}"
    needed = report.seeds_needed
    if needed is None:
        return [f"A difference of {wanted} is out of reach of {MAX_SEEDS} seeds{_images_limit(report)}."]
    return (
        [f"A difference of {wanted} would take {needed} seeds, {needed - have} more."]
        if needed > have
        else []
    )
