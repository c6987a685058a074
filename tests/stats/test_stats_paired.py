from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower
from study_simulation import StudyModel, simulate_correct

from fer_lightning.stats.crossed import components, interval_half_width, mean_squares, p_value
from fer_lightning.stats.paired import SEEDS_AND_IMAGES, SEEDS_ONLY, PairedEffect, paired_effect
from fer_lightning.stats.power import Spread, detectable, power, seeds_needed, spread_of
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.verdict import holm, mcnemar_p, verdict


def run_of(arm, seed, correct, ids=None, **more):
    """A run whose stored logits classify exactly the `correct` images right."""
    labels = np.arange(len(correct)) % 7
    answer = np.where(correct, labels, (labels + 1) % 7)
    logits = np.eye(7, dtype=np.float32)[answer]
    return ArmRun(arm, seed, value=float(np.mean(correct)), logits=logits, labels=labels, ids=ids, **more)


def study(n_seeds=4, n_images=300, effect=0.05, seed=0):
    correct = simulate_correct(
        StudyModel(effects=(effect,)), 1, n_seeds, n_images, np.random.default_rng(seed)
    )[0]
    base = {s: run_of("base", s, correct[0, s]) for s in range(n_seeds)}
    arm = {s: run_of("arm", s, correct[1, s]) for s in range(n_seeds)}
    return arm, base, correct[1].astype(float) - correct[0]


def test_effect_is_that_of_the_per_image_table():
    arm, base, table = study()
    effect = paired_effect(arm, base)
    ms = mean_squares(table)
    assert effect.method == SEEDS_AND_IMAGES
    assert effect.seeds == (0, 1, 2, 3)
    assert effect.differences == pytest.approx(table.mean(axis=1))
    assert effect.mean == pytest.approx(table.mean())
    assert effect.sd == pytest.approx(np.std(table.mean(axis=1), ddof=1))
    assert effect.high - effect.mean == pytest.approx(float(interval_half_width(ms)))
    assert effect.mean - effect.low == pytest.approx(float(interval_half_width(ms)))
    assert effect.p == pytest.approx(float(p_value(ms)))
    assert (effect.seed_sd, effect.image_sd, effect.rest_sd) == pytest.approx(
        tuple(float(c) for c in components(ms))
    )
    assert effect.bootstrap_low < effect.mean < effect.bootstrap_high


def test_only_common_seeds_are_paired():
    arm, base, table = study()
    del arm[0], base[3]
    effect = paired_effect(arm, base)
    assert effect.seeds == (1, 2)
    assert effect.differences == pytest.approx(table.mean(axis=1)[1:3])


def test_images_are_matched_by_their_ids_not_their_place():
    arm, base, _ = study(n_images=50)
    ids = np.array([f"face {i:03d}" for i in range(50)])
    named_base = {s: run_of("base", s, base[s].predictions.correct, ids) for s in base}
    order = np.random.default_rng(1).permutation(50)
    mixed = {}
    for s in arm:
        plain = run_of("arm", s, arm[s].predictions.correct)
        mixed[s] = ArmRun(
            "arm",
            s,
            value=plain.value,
            logits=plain.logits[order],
            labels=plain.labels[order],
            ids=ids[order],
        )
    straight, shuffled = paired_effect(arm, base), paired_effect(mixed, named_base)
    assert shuffled.method == SEEDS_AND_IMAGES
    assert (shuffled.low, shuffled.high, shuffled.p) == pytest.approx(
        (straight.low, straight.high, straight.p)
    )


def test_without_logits_it_is_scipys_paired_t_test_and_says_so():
    values = {"arm": [0.61, 0.64, 0.66], "base": [0.60, 0.61, 0.65]}
    runs = {name: {s: ArmRun(name, s, value=v) for s, v in enumerate(vs)} for name, vs in values.items()}
    effect = paired_effect(runs["arm"], runs["base"], confidence=0.9)
    oracle = stats.ttest_rel(values["arm"], values["base"])
    bounds = oracle.confidence_interval(0.9)
    assert (effect.low, effect.high, effect.p) == pytest.approx((bounds.low, bounds.high, oracle.pvalue))
    assert effect.method == SEEDS_ONLY
    assert effect.note == "no logits of arm 'arm', seed 0"
    assert math.isnan(effect.bootstrap_low)


def test_runs_judged_on_other_images_are_not_paired_by_image():
    arm, base, _ = study(n_images=60)
    base[1] = run_of("base", 1, base[1].predictions.correct[:59])
    effect = paired_effect(arm, base)
    assert effect.method == SEEDS_ONLY
    assert effect.note == "arm 'base', seed 1 was validated on 59 images, arm 'arm', seed 0 on 60"


def test_as_many_other_images_are_not_paired_either():
    rng = np.random.default_rng(0)
    arm, base = (
        {seed: run_of(name, seed, rng.random(60) < 0.5, ids=np.arange(60)) for seed in range(3)}
        for name in ("arm", "base")
    )
    assert paired_effect(arm, base).note is None
    base[1] = run_of("base", 1, rng.random(60) < 0.5, ids=np.arange(1, 61))
    effect = paired_effect(arm, base)
    assert effect.method == SEEDS_ONLY
    assert effect.note == "arm 'base', seed 1 was validated on other images"


def test_equal_differences_without_logits_give_no_p_value():
    arm = {s: ArmRun("arm", s, value=0.75) for s in range(3)}
    base = {s: ArmRun("base", s, value=0.5) for s in range(3)}
    effect = paired_effect(arm, base)
    assert math.isnan(effect.p)
    assert "every seed gives the same difference" in effect.note
    assert verdict(effect, effect.p, Rules(), higher_is_better=True) == "no spread between seeds"
    # Differences that are equal but for rounding are no spread either.
    arm, base = (
        {s: ArmRun(a, s, value=v + 0.1 * s) for s in range(4)} for a, v in (("arm", 0.3), ("base", 0.1))
    )
    assert len({arm[s].value - base[s].value for s in range(4)}) > 1
    assert math.isnan(paired_effect(arm, base).p)
    same = paired_effect(base, base)
    assert (same.mean, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_one_seed_gives_a_difference_and_nothing_else():
    arm, base, table = study(n_seeds=1)
    effect = paired_effect(arm, base)
    assert effect.mean == pytest.approx(table.mean())
    assert math.isnan(effect.p)
    assert math.isnan(effect.low)
    assert paired_effect(arm, {}) is None


def test_holm_worked_by_hand():
    # Smallest times 3, next times 2, largest times 1, never falling; an untested arm does not count.
    assert holm([0.03, math.nan, 0.01, 0.04]) == pytest.approx([0.06, math.nan, 0.03, 0.06], nan_ok=True)
    assert holm([]) == []
    assert all(math.isnan(p) for p in holm([math.nan]))


def effect_with(mean, n_seeds=3, p=0.01):
    seeds = tuple(range(n_seeds))
    return PairedEffect("a", seeds, (mean,) * n_seeds, mean, sd=math.nan, method=SEEDS_ONLY, p=p)


@pytest.mark.parametrize(
    ("effect", "p", "rules", "higher", "word"),
    [
        (effect_with(0.02), 0.05, Rules(), True, "better"),
        (effect_with(-0.02), 0.01, Rules(), True, "worse"),
        (effect_with(0.02), 0.051, Rules(), True, "no difference found"),
        (effect_with(0.02, 2), 0.0001, Rules(), True, "not enough seeds"),
        (effect_with(0.02, 2), 0.0001, Rules(min_seeds=2), True, "better"),
        (effect_with(0.02), 0.01, Rules(), False, "worse"),
        (effect_with(-0.02), 0.01, Rules(), False, "better"),
        (effect_with(0.02), 0.02, Rules(confidence=0.99), True, "no difference found"),
        (effect_with(0.02), math.nan, Rules(), True, "not enough seeds"),
        (None, math.nan, Rules(), True, "not enough seeds"),
    ],
)
def test_words_of_the_verdict(effect, p, rules, higher, word):
    assert verdict(effect, p, rules, higher_is_better=higher) == word


def test_mcnemar_counts_the_discordant_images():
    arm = np.array([1] * 30 + [1] * 9 + [0] * 2 + [0] * 9, bool)
    base = np.array([1] * 30 + [0] * 9 + [1] * 2 + [0] * 9, bool)
    assert mcnemar_p(arm, base) == pytest.approx(stats.binomtest(2, 11).pvalue)
    assert mcnemar_p(arm, base) == pytest.approx(float(mcnemar([[30, 9], [2, 9]], exact=True).pvalue))
    assert mcnemar_p(arm, arm) == 1.0


def test_seeds_needed_without_images_is_statsmodels_power_analysis():
    spread = Spread(seed=0.02, image=0.0, rest=0.0, n_images=0)
    exact = TTestPower().solve_power(effect_size=0.015 / 0.02, alpha=0.05, power=0.8)
    assert seeds_needed(spread, 0.015) == math.ceil(exact)
    assert power(spread, 0.015, 10) == pytest.approx(TTestPower().power(0.75, 10, 0.05), abs=1e-4)


def test_more_power_takes_more_seeds_and_images_set_a_floor():
    spread = Spread(seed=0.01, image=0.2, rest=0.4, n_images=500)
    few, many = seeds_needed(spread, 0.04), seeds_needed(spread, 0.04, target=0.95)
    assert few < many
    # 0.2/√500 = 0.9 points of error remain with any number of seeds.
    assert seeds_needed(spread, 0.01) is None
    assert seeds_needed(spread, 0.04, min_seeds=30) == 30
    size = detectable(spread, 5)
    assert power(spread, size, 5) == pytest.approx(0.8, abs=1e-6)
    with pytest.raises(ValueError, match="size 0"):
        seeds_needed(spread, 0)


def test_spread_of_a_study_is_that_of_a_typical_arm():
    arm, base, _ = study()
    other, _, _ = study(seed=1)
    effects = [paired_effect(arm, base), paired_effect(other, base)]
    spread = spread_of(effects)
    assert spread.rest == pytest.approx(np.sqrt((effects[0].rest_sd ** 2 + effects[1].rest_sd ** 2) / 2))
    assert spread.seed == pytest.approx(np.sqrt((effects[0].seed_sd ** 2 + effects[1].seed_sd ** 2) / 2))
    assert spread.n_images == 300
    stuck = dataclasses.replace(effects[0], image_sd=9.0, rest_sd=0.01)
    with_stuck = spread_of([*effects, stuck])
    assert with_stuck.image == max(effect.image_sd for effect in effects)
    assert with_stuck.rest == min(effect.rest_sd for effect in effects)
    assert spread_of([]) is None
    assert spread_of([effect_with(0.1, 1)]) is None


@pytest.mark.parametrize(("arm_image", "arm_seed"), [(0.5, 0.03), (0.3, 0.15), (1.0, 0.03)])
@pytest.mark.parametrize(("n_seeds", "alpha"), [(3, 0.05), (5, 0.05), (5, 0.05 / 8)])
def test_power_is_what_simulated_studies_show(arm_image, arm_seed, n_seeds, alpha):
    rng = np.random.default_rng(0)

    def squares(effect, studies):
        model = StudyModel(effects=(effect,), arm_image=arm_image, arm_seed=arm_seed)
        tables = simulate_correct(model, studies, n_seeds, 400, rng).astype(np.float32)
        return mean_squares(tables[:, 1] - tables[:, 0])

    parts = [float(np.sqrt(np.mean(part**2))) for part in components(squares(0.0, 100))]
    size = detectable(Spread(*parts, n_images=400), n_seeds, alpha=alpha)
    called = float(np.mean(p_value(squares(size, 400)) <= alpha))
    # Planned for 80 %; a planned power that is a little too low errs on the safe side.
    assert 0.72 <= called <= 0.93
