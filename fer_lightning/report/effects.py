"""What the forest plot of an ablation shows, in numbers and words."""

from __future__ import annotations

import math

from fer_lightning.data.label import data_label
from fer_lightning.plots.forest import EffectRow, EffectsData, axis_limit
from fer_lightning.report.cells import difference
from fer_lightning.report.text import wrap_name
from fer_lightning.stats.ablation import AblationReport

_NAME_WIDTH = 38
_NEAR = 2.5  # points: an arm within them never makes another one look broken


def effects_data(report: AblationReport) -> EffectsData:
    """Rows of the figure in the report's order; arms that share no seed with the baseline are only named."""
    scale = report.objective.scale
    rows, absent = [], []
    for row in report.arms:
        if row.arm == report.baseline:
            continue
        if row.effect is None:
            absent.append(row.arm)
            continue
        # With fewer seeds than a verdict needs, the interval would be as wide as the figure and say nothing.
        shown = row.verdict != "not enough seeds"
        rows.append(
            EffectRow(
                arm=row.arm,
                label=_label(row.arm),
                mean=scale * row.effect.mean,
                low=scale * row.effect.low if shown else math.nan,
                high=scale * row.effect.high if shown else math.nan,
                seeds=tuple(scale * d for d in row.effect.differences),
                verdict=row.verdict,
                text=difference(report, row) if shown else difference(report, row).split(" ")[0],
            )
        )
    data = data_label(report.data_name, report.synthetic)
    level = f"{100 * report.rules.confidence:g} %"
    over = "seeds and images" if report.n_images else "seeds"
    unit = "percentage points" if report.objective.is_share else report.objective.unit or "difference"
    question = f"{report.title}: {report.metric} against {report.baseline!r}"
    return EffectsData(
        title=f"{question}\n{f'{data}, ' if data else ''}{level} interval for {over}",
        x_label=f"arm minus baseline, {report.metric}, {unit} ({report.objective.direction})"
        + (f"\n{report.guessing}" if report.guessing else ""),
        rows=tuple(rows),
        limit=axis_limit([row.extent for row in rows], near=_NEAR if report.objective.is_share else 0.0),
        absent=tuple(absent),
    )


def _label(arm: str) -> str:
    """Three lines of a long name at most; what is longer loses its middle, for arms differ at their ends."""
    longest = 3 * _NAME_WIDTH - 6
    if len(arm) > longest:
        arm = f"{arm[: longest // 2]}…{arm[-longest // 2 :]}"
    return "\n".join(line.strip() for line in wrap_name(arm, _NAME_WIDTH))
