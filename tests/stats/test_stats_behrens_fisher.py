from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from fer_lightning.stats.behrens_fisher import half_width, two_sided_p


@pytest.mark.parametrize("df", [1, 2, 4, 9, 50])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 0.01), (0.01, 1), (1, 0.9), (0.9, 1), (3, 5)])
@pytest.mark.parametrize("distance", [0.1, 1.0, 3.0, 12.0])
def test_tail_agrees_with_adaptive_quadrature(df, a, b, distance):
    def integrand(z):
        return stats.norm.pdf(z) * stats.t.sf((distance - b * z) / a, df)

    near = [distance / b] if distance / b < 12 else None
    expected = 2 * integrate.quad(integrand, -12, 12, points=near, epsabs=1e-13, limit=500)[0]
    assert float(two_sided_p(distance, a, b, df)) == pytest.approx(expected, rel=1e-6, abs=1e-11)


def test_one_part_alone_is_student_or_normal():
    distance = np.array([0.5, 2.0, 30.0])
    np.testing.assert_allclose(two_sided_p(distance, 2.0, 0.0, 2), 2 * stats.t.sf(distance / 2, 2), rtol=1e-9)
    np.testing.assert_allclose(two_sided_p(distance, 0.0, 2.0, 2), 2 * stats.norm.sf(distance / 2), rtol=1e-7)
    widths = half_width(np.array([2.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0]), 2, 0.95)
    np.testing.assert_allclose(widths, [2 * stats.t.ppf(0.975, 2), 2 * stats.norm.ppf(0.975), 0.0], rtol=1e-9)


def test_no_error_at_all_is_certain():
    assert two_sided_p(np.array([0.0, 1e-9]), 0.0, 0.0, 2).tolist() == [1.0, 0.0]


def test_tail_agrees_with_drawn_numbers():
    rng = np.random.default_rng(0)
    drawn = 1.0 * rng.standard_t(2, 400_000) + 1.5 * rng.standard_normal(400_000)
    assert float(two_sided_p(4.0, 1.0, 1.5, 2)) == pytest.approx(np.mean(np.abs(drawn) > 4), abs=0.002)


@settings(max_examples=60, deadline=None)
@given(
    a=st.floats(1e-4, 1e4),
    b=st.floats(1e-4, 1e4),
    df=st.integers(1, 40),
    confidence=st.sampled_from([0.5, 0.8, 0.95, 0.999]),
)
def test_interval_and_p_value_are_two_sides_of_one_thing(a, b, df, confidence):
    width = float(half_width(a, b, df, confidence))
    assert float(two_sided_p(width, a, b, df)) == pytest.approx(1 - confidence, rel=1e-5)
    assert (
        width
        > max(a * stats.t.ppf(0.5 + confidence / 2, df), b * stats.norm.ppf(0.5 + confidence / 2)) * 0.999
    )
