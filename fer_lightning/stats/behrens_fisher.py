"""Tail and quantile of a·T + b·Z: an error part known from few seeds and one known from many images.

T has Student's distribution with few degrees of freedom, Z is standard normal, both are independent. This is
the distribution behind the Behrens-Fisher solution for two variances of which one is poorly known. Robinson
(1976), Annals of Statistics 4, 963, shows that its intervals do not fall below their nominal coverage, which
Satterthwaite's approximation does with three seeds (see ``docs/statistics.md``). Neither scipy nor statsmodels
has it.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats
from scipy.optimize import elementwise

# The trapezoidal rule converges exponentially for the smooth integrands below; these steps leave 1e-9.
_STEP = 0.15
_Z = np.arange(-9.0, 9.0 + _STEP / 2, _STEP)
_Z_WEIGHT = stats.norm.pdf(_Z) * _STEP


def two_sided_p(distance: np.ndarray, a: np.ndarray, b: np.ndarray, df: float) -> np.ndarray:
    """P(|a·T + b·Z| ≥ |distance|); 1 where the distance is 0, and 0 beyond it where a and b are both 0.

    Parameters
    ----------
    distance, a, b : [...]; a, b ≥ 0
    df : degrees of freedom of T
    """
    d, a, b = np.broadcast_arrays(
        np.abs(np.asarray(distance, float)), np.asarray(a, float), np.asarray(b, float)
    )
    scale = np.maximum(a, b)
    safe = np.where(scale > 0, scale, 1.0)
    # Only the ratio of a and b matters; the larger one is the scale, so that the integrands have no sharp
    # step.
    d, a, b = (x[..., None] / safe[..., None] for x in (d, a, b))
    # Over Z the integrand is smooth where a is not small, or where Z cannot reach the distance; over T it is
    # smooth otherwise (far out in T's tail its steps would jump over the place where the normal part acts).
    over_z = (a >= 0.5) | ((a > 0) & (d > 12))
    p = _over_z(d, np.where(over_z, a, 1.0), b, df)
    if not over_z.all():
        p = np.where(over_z[..., 0], p, _over_t(d, a, b, df))
    p = np.where(scale > 0, p, 0.0)
    return np.where(d[..., 0] == 0, 1.0, np.clip(p, 0.0, 1.0))


def _over_z(d: np.ndarray, a: np.ndarray, b: np.ndarray, df: float) -> np.ndarray:
    """Integrate over Z."""
    beyond = special.stdtr(df, -(d - b * _Z) / a)
    return np.asarray(2 * (beyond * _Z_WEIGHT).sum(axis=-1))


def _over_t(d: np.ndarray, a: np.ndarray, b: np.ndarray, df: float) -> np.ndarray:
    """Integrate over T, with T = √df·sinh(x) so that its heavy tails end."""
    end, step = 28 / df + np.arcsinh(10 / np.sqrt(df)), min(0.08, 0.2 / np.sqrt(df))
    x = np.arange(-end, end, step)
    t = np.sqrt(df) * np.sinh(x)
    weight = stats.t.pdf(t, df) * np.sqrt(df) * np.cosh(x) * step
    beyond = special.ndtr(-(d - a * t) / np.maximum(b, 0.5))
    return np.asarray(2 * (beyond * weight).sum(axis=-1))


def half_width(a: np.ndarray, b: np.ndarray, df: float, confidence: float) -> np.ndarray:
    """The c with P(|a·T + b·Z| ≤ c) = confidence, [...]; 0 where a and b are both 0."""
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    alpha = 1.0 - confidence
    t, z = stats.t.isf(alpha / 2, df), stats.norm.isf(alpha / 2)
    lower, upper = np.maximum(a * t, b * z), a * t + b * z
    # Where one part is none the quantile is known, and the bracket has no width.
    exact = (a == 0) | (b == 0)
    one = np.where(exact, 1.0, a)
    found = elementwise.find_root(
        lambda c, a_, b_: two_sided_p(c, a_, b_, df) - alpha,
        (np.where(exact, 0.5 * t, lower * (1 - 1e-9)), np.where(exact, 2 * t, upper * (1 + 1e-9))),
        args=(one, np.where(exact, 0.0, b)),
    )
    return np.where(exact, lower, found.x)
