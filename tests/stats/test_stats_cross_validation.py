"""Cross-validation: joined folds, the analysis of out-of-fold results, and the corrected resampled t-test."""

import math

import numpy as np
import pytest
from scipy import stats

from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.behrens_fisher import half_width
from fer_lightning.stats.cross_validation import aligned_folds, corrected_t, out_of_fold
from fer_lightning.stats.crossed import components, error_parts, folded_mean_squares, interval_half_width
from fer_lightning.stats.paired import paired_effect
from fer_lightning.stats.power import detectable, power, spread_of
from fer_lightning.stats.records import ArmRun

CLASSES = 3


def dealt(rng: np.random.Generator, n_seeds: int, n_images: int, n_folds: int) -> np.ndarray:
    return np.stack([rng.permutation(np.arange(n_images) % n_folds) for _ in range(n_seeds)])


def table_of(
    rng: np.random.Generator,
    folds: np.ndarray,
    *,
    mean: float = 0.0,
    run: float = 0.0,
    image: float = 0.0,
    rest: float = 1.0,
) -> np.ndarray:
    n_seeds, n_images = folds.shape
    runs = rng.normal(0, run, (n_seeds, folds.max() + 1)) if run else np.zeros((n_seeds, folds.max() + 1))
    images = rng.normal(0, image, n_images) if image else np.zeros(n_images)
    return mean + np.take_along_axis(runs, folds, 1) + images + rng.normal(0, rest, folds.shape)


def test_mean_squares_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    folds = dealt(rng, 3, 20, 4)
    table = table_of(rng, folds, run=0.5, image=0.7)
    ms = folded_mean_squares(table, folds)
    means = {(s, k): table[s, folds[s] == k].mean() for s in range(3) for k in range(4)}
    within = np.array([[table[s, i] - means[s, folds[s, i]] for i in range(20)] for s in range(3)])
    assert ms.seed == pytest.approx(5 * np.var(list(means.values()), ddof=1))
    assert ms.image == pytest.approx(sum(3 * within[:, i].mean() ** 2 for i in range(20)) / 16)
    rest = sum((within[s, i] - within[:, i].mean()) ** 2 for s in range(3) for i in range(20)) / (2 * 16)
    assert ms.rest == pytest.approx(rest)
    assert (ms.mean, ms.df, ms.folds) == (pytest.approx(table.mean()), 11, 4)


def test_components_are_found_again() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        folds = dealt(rng, 4, 400, 5)
        found.append(
            components(folded_mean_squares(table_of(rng, folds, run=0.2, image=0.5, rest=1.0), folds))
        )
    run, image, rest = np.sqrt(np.mean(np.square(found), axis=0))
    # The spread between seeds is that of the mean of a seed's five runs.
    assert run == pytest.approx(0.2 / math.sqrt(5), rel=0.1)
    assert image == pytest.approx(0.5, rel=0.05)
    assert rest == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize(("run", "image"), [(0.0, 0.0), (0.15, 0.0), (0.0, 1.0), (0.15, 1.0)])
def test_the_interval_covers_the_mean_as_often_as_it_says(n_seeds: int, run: float, image: float) -> None:
    rng = np.random.default_rng(7)
    drawn = (dealt(rng, n_seeds, 100, 5) for _ in range(1000))
    found = [folded_mean_squares(table_of(rng, f, mean=0.3, run=run, image=image), f) for f in drawn]
    between, images = np.array([error_parts(ms) for ms in found]).T
    inside = np.abs([ms.mean - 0.3 for ms in found]) <= half_width(between, images, found[0].df, 0.95)
    assert 0.93 <= inside.mean() <= 0.98


def test_one_seed_has_all_its_error_between_runs() -> None:
    """Each image is judged once: runs on images of their own differ by these, and nothing is to be added."""
    rng = np.random.default_rng(3)
    folds = dealt(rng, 1, 50, 5)
    table = table_of(rng, folds, run=0.3)
    runs = [table[0, folds[0] == k].mean() for k in range(5)]
    between, images = error_parts(folded_mean_squares(table, folds))
    assert between == pytest.approx(np.std(runs, ddof=1) / math.sqrt(5))
    assert images == 0


def runs_of(arm: str, rng: np.random.Generator, folds: np.ndarray, right: float) -> list[ArmRun]:
    n_seeds, n_images = folds.shape
    labels = np.arange(n_images) % CLASSES
    found = []
    for seed in range(n_seeds):
        parts = []
        for fold in range(int(folds.max()) + 1):
            chosen = rng.permutation(np.flatnonzero(folds[seed] == fold))
            correct = rng.random(len(chosen)) < right
            predicted = np.where(correct, labels[chosen], (labels[chosen] + 1) % CLASSES)
            parts.append(
                ArmRun(
                    arm,
                    seed,
                    value=float(correct.mean()),
                    seconds=2.0,
                    logits=np.eye(CLASSES, dtype=np.float32)[predicted],
                    labels=labels[chosen],
                    ids=chosen.astype(str),
                )
            )
        found.append(out_of_fold(parts, int(folds.max()) + 1))
    return found


def test_folds_are_joined_to_one_run_of_their_seed() -> None:
    rng = np.random.default_rng(5)
    folds = np.array([[0, 0, 0, 1, 1, 2, 2]])
    (run,) = runs_of("a", rng, folds, 0.5)
    assert run.predictions is not None
    assert run.value == pytest.approx(run.predictions.correct.mean())
    assert (run.complete, run.seconds, len(run.predictions.labels)) == (True, 6.0, 7)
    found, reason = aligned_folds([run, run])
    assert reason is None
    assert found is not None
    assert found.tolist() == folds.tolist()


def test_a_seed_without_all_its_folds_is_not_complete() -> None:
    parts = [ArmRun("a", 0, value=0.5), ArmRun("a", 0, state="FAIL", reason="out of memory")]
    failed = out_of_fold(parts, 2)
    assert (failed.complete, failed.state, failed.reason, failed.value) == (
        False,
        "FAIL",
        "out of memory",
        None,
    )
    assert out_of_fold(parts[:1], 2).state == "WAITING"
    assert out_of_fold([parts[0], parts[0]], 2).complete


def test_faces_are_paired_by_their_names_and_folds() -> None:
    rng = np.random.default_rng(9)
    folds = dealt(rng, 2, 60, 5)
    arm, base = runs_of("arm", rng, folds, 0.9), runs_of("base", rng, folds, 0.5)
    effect = paired_effect({0: arm[0], 1: arm[1]}, {0: base[0], 1: base[1]})
    assert effect is not None
    assert (effect.n_images, effect.folds, effect.n_runs) == (60, 5, 10)
    right = {name: [_by_name(run) for run in runs] for name, runs in (("arm", arm), ("base", base))}
    table = np.array(right["arm"], float) - np.array(right["base"], float)
    ms = folded_mean_squares(table, folds)
    assert effect.mean == pytest.approx(ms.mean)
    assert effect.high - effect.mean == pytest.approx(interval_half_width(ms))


def _by_name(run: ArmRun) -> np.ndarray:
    assert run.predictions is not None
    assert run.predictions.ids is not None
    return run.predictions.correct[np.argsort(run.predictions.ids.astype(int))][
        np.argsort(np.argsort(np.arange(len(run.predictions.ids))))
    ]


def test_other_folds_of_the_baseline_count_no_faces() -> None:
    rng = np.random.default_rng(9)
    arm = runs_of("arm", rng, dealt(rng, 1, 60, 5), 0.9)
    base = runs_of("base", rng, dealt(rng, 1, 60, 5), 0.5)
    effect = paired_effect({0: arm[0]}, {0: base[0]})
    assert effect is not None
    assert effect.note == "the arm and the baseline were validated on other folds"
    assert effect.method == "seeds only"


def test_corrected_t_is_the_formula_of_the_paper() -> None:
    differences = np.array([[0.02, 0.05, 0.01, 0.04, 0.03]])
    low, high, p = corrected_t(differences)
    # Nadeau & Bengio (2003), section 5.2: n2 / n1 = 1 / 4 in five folds, so 1/J + n2/n1 = 0.45.
    error = math.sqrt(0.45 * differences.var(ddof=1))
    assert (low + high) / 2 == pytest.approx(0.03)
    assert high - low == pytest.approx(2 * 2.7764451 * error)
    assert p == pytest.approx(2 * stats.t.sf(0.03 / error, 4))
    assert all(map(math.isnan, corrected_t(np.full((1, 5), 0.1))))
    assert corrected_t(np.zeros((1, 5))) == (0.0, 0.0, 1.0)


def test_one_seed_on_five_folds_gets_a_verdict() -> None:
    rng = np.random.default_rng(2)
    folds = dealt(rng, 1, 300, 5)
    runs = [
        *runs_of("baseline", rng, folds, 0.5),
        *runs_of("better", rng, folds, 0.9),
        *runs_of("same", rng, folds, 0.5),
    ]
    report = ablation_report(runs, "baseline")
    assert report.arm("better").verdict == "better"
    assert report.arm("same").verdict == "no difference found"
    assert math.isnan(report.arm("better").mcnemar)
    assert (report.folds, report.n_images) == (5, 300)
    assert any("5-fold cross-validation" in note for note in report.notes)


def test_power_over_folds_is_that_of_the_interval() -> None:
    """The smallest detectable difference is found with the chance that it promises."""
    rng = np.random.default_rng(11)

    def effect_of(difference: float):  # type: ignore[no-untyped-def]
        folds = dealt(rng, 2, 200, 5)
        base = runs_of("base", rng, folds, 0.5)
        arm = runs_of("arm", rng, folds, 0.5 + difference)
        return paired_effect(dict(enumerate(arm)), dict(enumerate(base)), n_resamples=0)

    spread = spread_of([effect_of(0.0) for _ in range(30)])
    assert spread is not None
    size = detectable(spread, 2)
    assert power(spread, size, 2) == pytest.approx(0.8, abs=0.02)
    called = [effect_of(size).p < 0.05 for _ in range(150)]
    assert np.mean(called) == pytest.approx(0.8, abs=0.1)
