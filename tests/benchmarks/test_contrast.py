"""benchmarks/contrast.py against scipy's tests where one combination is left, and a case worked out by hand."""

from __future__ import annotations

import contrast
import numpy as np
import pytest
from scipy import stats

ONE, OTHER = [51.0, 53.5, 52.0, 50.0], [50.5, 49.0, 50.0, 48.5]
ROWS = [
    {"norm": norm, "rate": "0.1", "seed": str(seed), "val/acc %": str(value)}
    for norm, values in (("batch", ONE), ("none", OTHER))
    for seed, value in enumerate(values)
]


def test_of_one_combination_they_are_scipys():
    one, other = (contrast.cells_of(ROWS, {"norm": norm}) for norm in ("batch", "none"))
    expected = stats.ttest_rel(ONE, OTHER)
    interval = expected.confidence_interval()
    found = contrast.paired(one, other)
    assert found == pytest.approx((1.125 + 1.0, interval.low, interval.high, expected.pvalue))
    assert contrast.welch(one, other) == pytest.approx(stats.ttest_ind(ONE, OTHER, equal_var=False).pvalue)


def test_a_side_is_the_mean_over_its_combinations_each_with_its_own_spread():
    fixed = [{**row, "rate": "0.2", "val/acc %": "40"} for row in ROWS if row["norm"] == "none"]
    one, other = (contrast.cells_of([*ROWS, *fixed], {"norm": norm}) for norm in ("batch", "none"))
    assert sorted(other) == [("none", "0.1"), ("none", "0.2")]
    difference = np.array(ONE) - (np.array(OTHER) + 40) / 2
    assert contrast.paired(one, other)[0] == pytest.approx(difference.mean())
    # Half of a side that does not vary: that side's variance is a quarter of its other half's.
    parts = np.array([np.var(ONE, ddof=1) / 4, np.var(OTHER, ddof=1) / 4 / 4])
    df = parts.sum() ** 2 / (parts**2 / 3).sum()
    expected = 2 * stats.t.sf(difference.mean() / np.sqrt(parts.sum()), df)
    assert contrast.welch(one, other) == pytest.approx(expected)
