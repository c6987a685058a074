"""Main effects and interactions of a factorial ablation: the analysis of variance over its runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from fer_lightning.errors import DataError
from fer_lightning.stats.importance import factor_importance
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.verdict import holm


@dataclass(frozen=True)
class AnovaRow:
    """One line of the table.

    Attributes
    ----------
    term : the factors of the effect: one for a main effect, two for an interaction; ("seed",) for the blocks
        and ("residual",) for what is left
    df, sum_sq : degrees of freedom and sum of squares
    share : of the total sum of squares that the terms make up (eta squared)
    f, p, p_holm : F statistic, its p-value, and that corrected over the factors' terms; NaN for blocks, residual
    """

    term: tuple[str, ...]
    df: int
    sum_sq: float
    share: float
    f: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class Anova:
    """Table of a factorial plan, its number of runs, and the interactions that its runs cannot tell."""

    rows: tuple[AnovaRow, ...]
    n_runs: int
    not_estimable: tuple[tuple[str, ...], ...] = ()

    def row(self, *term: str) -> AnovaRow:
        """The line of one term, its factors in any order; KeyError where there is none."""
        for row in self.rows:
            if set(row.term) == set(term):
                return row
        raise KeyError(term)


def _frame(runs: Sequence[ArmRun]) -> tuple[pd.DataFrame, list[str]]:
    """Complete runs as a table with plain column names f0, f1, … and the factors that these stand for."""
    complete = [run for run in runs if run.complete]
    names = list(dict.fromkeys(name for run in complete for name in run.levels))
    for run in complete:
        missing = [name for name in names if name not in run.levels]
        if missing:
            raise DataError(
                f"arm {run.arm!r}, seed {run.seed}: no level of {missing[0]!r}; expected one a factor"
            )
    factors = [name for name in names if len({run.levels[name] for run in complete}) > 1]
    columns: dict[str, list] = {
        f"f{i}": [str(run.levels[name]) for run in complete] for i, name in enumerate(factors)
    }
    columns["value"] = [run.value for run in complete]
    columns["seed"] = [str(run.seed) for run in complete]
    return pd.DataFrame(columns), factors


def crossed_pairs(runs: Sequence[ArmRun]) -> list[tuple[str, str]]:
    """Pairs of factors of which every combination of levels was run: their interaction can be told."""
    frame, factors = _frame(runs)
    pairs = []
    for (i, first), (j, second) in itertools.combinations(enumerate(factors), 2):
        cells = frame.groupby([f"f{i}", f"f{j}"]).size()
        if len(cells) == frame[f"f{i}"].nunique() * frame[f"f{j}"].nunique():
            pairs.append((first, second))
    return pairs


def anova_table(runs: Sequence[ArmRun]) -> Anova:
    """Analysis of variance of the complete runs: factors, their two-way interactions, seeds as blocks.

    Type II sums of squares (statsmodels), so that a failed run more or less does not change what a line means.
    The errors are those between runs: the p-values speak of new seeds on the same images, and take the runs of all
    arms to vary alike.

    Raises
    ------
    DataError
        Fewer than two factors vary, a run lacks a level, or there are too few runs for the terms.
    """
    frame, factors = _frame(runs)
    if len(factors) < 2:
        raise DataError(
            f"factors that vary in the complete runs: {', '.join(factors) or 'none'}; expected at least 2"
        )
    pairs = crossed_pairs(runs)
    column = {name: f"f{i}" for i, name in enumerate(factors)}
    terms: dict[str, tuple[str, ...]] = {f"C({column[name]})": (name,) for name in factors}
    terms |= {f"C({column[a]}):C({column[b]})": (a, b) for a, b in pairs}
    blocks = {"C(seed)": ("seed",)} if frame["seed"].nunique() > 1 else {}
    model = ols(f"value ~ {' + '.join([*terms, *blocks])}", frame)
    if np.linalg.matrix_rank(model.exog) < model.exog.shape[1]:
        raise DataError(f"the {len(frame)} complete runs do not tell the factors {', '.join(factors)} apart")
    fit = model.fit()
    if fit.df_resid < 1:
        raise DataError(f"{len(frame)} complete runs are too few for {len(terms)} terms; add seeds")
    table = anova_lm(fit, typ=2)
    return _rows(table, terms | blocks, len(frame), factors, pairs)


def _rows(
    table: pd.DataFrame,
    terms: dict[str, tuple[str, ...]],
    n_runs: int,
    factors: list[str],
    pairs: list[tuple[str, str]],
) -> Anova:
    """Lines in the order factors, interactions, seeds, residual."""
    numbers = table.to_dict("index")
    total = sum(line["sum_sq"] for line in numbers.values())
    tested = [key for key, name in terms.items() if name != ("seed",)]
    corrected = dict(zip(tested, holm([numbers[key]["PR(>F)"] for key in tested]), strict=True))
    nan = float("nan")
    rows = [
        AnovaRow(
            term=name,
            df=round(numbers[key]["df"]),
            sum_sq=float(numbers[key]["sum_sq"]),
            share=float(numbers[key]["sum_sq"] / total) if total > 0 else 0.0,
            f=float(numbers[key]["F"]) if key in corrected else nan,
            p=float(numbers[key]["PR(>F)"]) if key in corrected else nan,
            p_holm=corrected.get(key, nan),
        )
        for key, name in (terms | {"Residual": ("residual",)}).items()
    ]
    missing = tuple(pair for pair in itertools.combinations(factors, 2) if pair not in pairs)
    return Anova(tuple(rows), n_runs, missing)


@dataclass(frozen=True)
class FactorialPart:
    """Analysis of variance, and each factor's importance (fANOVA: share of the variance, the largest first)."""

    anova: Anova
    importance: dict[str, float]


def factorial_part(runs: Sequence[ArmRun]) -> tuple[FactorialPart | None, str | None]:
    """What a plan that crosses factors tells beyond its arms; None for other plans, with a note if it failed."""
    names = {tuple(sorted(run.levels)) for run in runs if run.complete}
    if len(names) != 1 or not crossed_pairs(runs):
        return None, None
    try:
        return FactorialPart(anova_table(runs), factor_importance(runs)), None
    except DataError as error:
        return None, f"no analysis of variance: {error}"
