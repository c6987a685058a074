from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols

from fer_lightning.stats.bootstrap import hierarchical_bootstrap, resample_counts
from fer_lightning.stats.crossed import components, error_parts, interval_half_width, mean_squares, p_value


def random_table(n_seeds, n_images, seed=0, seed_sd=0.3, image_sd=0.5):
    rng = np.random.default_rng(seed)
    table = seed_sd * rng.standard_normal((n_seeds, 1)) + image_sd * rng.standard_normal((1, n_images))
    return table + rng.standard_normal((n_seeds, n_images))


def test_mean_squares_of_a_table_worked_by_hand():
    # Row means 2 and 4, column means 1, 3, 5, grand mean 3; the rest is (0.0, +1, -1) and its negative.
    table = np.array([[0.0, 3.0, 3.0], [2.0, 3.0, 7.0]])
    ms = mean_squares(table)
    assert float(ms.mean) == 3.0
    assert float(ms.seed) == pytest.approx(3 * (1 + 1) / 1)
    assert float(ms.image) == pytest.approx(2 * (4 + 0 + 4) / 2)
    assert float(ms.rest) == pytest.approx(4 / 2)


def test_mean_squares_agree_with_statsmodels():
    table = random_table(4, 7)
    seeds, images = np.indices(table.shape)
    frame = pd.DataFrame({"d": table.ravel(), "seed": seeds.ravel(), "image": images.ravel()})
    anova = sm.stats.anova_lm(ols("d ~ C(seed) + C(image)", frame).fit())
    ms = mean_squares(table)
    expected = anova["mean_sq"]
    assert float(ms.seed) == pytest.approx(expected["C(seed)"])
    assert float(ms.image) == pytest.approx(expected["C(image)"])
    assert float(ms.rest) == pytest.approx(expected["Residual"])


def test_error_is_close_to_statsmodels_two_way_clustered_one():
    # Cameron, Gelbach & Miller's error clusters by seed and by image; with many of both the two must meet.
    table = random_table(60, 80)
    seeds, images = np.indices(table.shape)
    groups = np.column_stack([seeds.ravel(), images.ravel()])
    clustered = sm.OLS(table.ravel(), np.ones(table.size)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    a, b = error_parts(mean_squares(table))
    assert float(np.hypot(a, b)) == pytest.approx(clustered.bse[0], rel=0.02)


def test_components_find_what_was_put_in():
    tables = np.stack([random_table(10, 400, seed=i, seed_sd=0.3, image_sd=0.5) for i in range(200)])
    seed, image, rest = (float(np.sqrt(np.mean(part**2))) for part in components(mean_squares(tables)))
    assert seed == pytest.approx(0.3, rel=0.05)
    assert image == pytest.approx(0.5, rel=0.02)
    assert rest == pytest.approx(1.0, rel=0.01)


def test_error_is_the_spread_of_the_mean_over_repeated_studies():
    tables = np.stack([random_table(5, 60, seed=i) for i in range(3000)])
    ms = mean_squares(tables)
    a, b = error_parts(ms)
    assert np.sqrt(np.mean(a**2 + b**2)) == pytest.approx(float(ms.mean.std()), rel=0.04)


def test_without_an_image_part_it_is_the_paired_t_test():
    # Every image tells the same: the seeds are all there is.
    by_seed = np.array([0.01, 0.03, 0.02, 0.05])
    table = np.repeat(by_seed[:, None], 10, axis=1)
    ms = mean_squares(table)
    expected = stats.ttest_1samp(by_seed, 0)
    interval = expected.confidence_interval(0.95)
    assert float(p_value(ms)) == pytest.approx(expected.pvalue)
    assert float(interval_half_width(ms)) == pytest.approx((interval.high - interval.low) / 2)


def test_equal_accuracies_of_all_seeds_do_not_make_certainty():
    # Three seeds, each three images better out of twenty, but other ones: by chance the spread is zero.
    table = np.zeros((3, 20))
    for s in range(3):
        table[s, 3 * s : 3 * s + 3] = 1
    ms = mean_squares(table)
    assert float(ms.seed) == 0
    assert 0.001 < float(p_value(ms)) < 1
    assert float(interval_half_width(ms)) > 0.01


def test_two_equal_models_differ_by_nothing():
    ms = mean_squares(np.zeros((3, 50)))
    assert float(p_value(ms)) == 1.0
    assert float(interval_half_width(ms)) == 0.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_seeds=st.integers(2, 6), scale=st.floats(0.01, 100))
def test_scaling_and_order_change_nothing(seed, n_seeds, scale):
    table = random_table(n_seeds, 30, seed)
    rng = np.random.default_rng(seed)
    mixed = table[rng.permutation(n_seeds)][:, rng.permutation(30)]
    p = float(p_value(mean_squares(table)))
    assert float(p_value(mean_squares(mixed))) == pytest.approx(p, rel=1e-6)
    assert float(p_value(mean_squares(-scale * table))) == pytest.approx(p, rel=1e-6)
    width = float(interval_half_width(mean_squares(table)))
    assert float(interval_half_width(mean_squares(scale * table))) == pytest.approx(scale * width, rel=1e-5)


def test_too_small_tables_are_refused():
    with pytest.raises(ValueError, match="1 seeds and 5 images"):
        mean_squares(np.zeros((1, 5)))


def test_resamples_draw_with_replacement():
    counts = resample_counts(50, 4000, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 50).all()
    # A multinomial count has mean 1 and variance 1 - 1/n.
    assert counts.mean() == 1.0
    assert counts.astype(float).var(axis=0).mean() == pytest.approx(1 - 1 / 50, rel=0.02)


def test_bootstrap_agrees_with_a_plain_loop():
    table = random_table(6, 40)
    rng = np.random.default_rng(1)
    slow = [
        table[rng.integers(0, 6, 6)][:, rng.integers(0, 40, 40)].mean()  # rows and columns of one resample
        for _ in range(4000)
    ]
    fast = hierarchical_bootstrap(table, 4000)
    assert fast.shape == (4000,)
    assert fast.mean() == pytest.approx(table.mean(), abs=4 * np.std(slow) / np.sqrt(4000))
    assert fast.std() == pytest.approx(np.std(slow), rel=0.05)


def test_bootstrap_draws_the_same_resample_for_every_arm():
    table = random_table(3, 40)
    both = hierarchical_bootstrap(np.stack([table, table + 1]), 300)
    np.testing.assert_allclose(both[:, 1] - both[:, 0], 1.0, atol=1e-5)
    np.testing.assert_allclose(both[:, 0], hierarchical_bootstrap(table, 300), atol=1e-6)
