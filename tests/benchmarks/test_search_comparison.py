"""What benchmarks/search_comparison.py counts, against cases worked out by hand and by trying every order."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import search_claims
import search_comparison as comparison
import searches
from scipy import stats

from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.winners_curse import Confirmed, claims_of
from fer_lightning.sweeps.study.results import Trial
from frozen_trials import frozen_trial


def trial(number: int, values: list[float], state: str = "COMPLETE") -> Trial:
    return Trial(frozen_trial(number, state, max(values), intermediate=dict(enumerate(values))))


def test_every_epoch_counts_also_of_pruned_trials_and_none_of_a_running_one() -> None:
    trials = [
        trial(0, [0.2, 0.4, 0.3]),
        trial(1, [0.1, 0.35], "PRUNED"),
        trial(2, [0.9], "RUNNING"),
        trial(3, [0.3, 0.5, 0.6]),
    ]
    curves = searches.curves_of(trials)
    search = searches.search_of(curves)
    assert search.values == (0.2, 0.4, 0.3, 0.1, 0.35, 0.3, 0.5, 0.6)
    assert (search.trials, search.pruned, search.failed) == (3, 1, 0)
    assert search.bests == (0.4, 0.35, 0.6)
    assert search.best_so_far() == [0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.5, 0.6]
    assert [search.epochs_to(value) for value in (0.4, 0.5, 0.6, 0.7)] == [2, 7, 8, None]
    assert [search.best_within(epochs) for epochs in (1, 6, 8)] == [0.2, 0.4, 0.6]
    assert searches.search_of(curves[:2]).values == (0.2, 0.4, 0.3, 0.1, 0.35)


def test_a_table_of_curves_gives_the_same_search_again(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    curves = [
        searches.Curve("COMPLETE", (0.25, 0.5)),
        searches.Curve("PRUNED", (0.125,)),
        searches.Curve("FAIL", ()),
    ]
    searches.write_table_of_curves({"random_0": curves, "tpe_0": curves[:1]}, path)
    assert searches.read_table_of_curves(path) == {"random_0": curves, "tpe_0": curves[:1]}


def test_epochs_that_a_promoted_trial_has_from_another_count_once() -> None:
    promoted = Trial(
        frozen_trial(
            1,
            "COMPLETE",
            0.6,
            intermediate={0: 0.2, 1: 0.4, 2: 0.6},
            promoted_from={"trial": 0, "steps": {"0": 0.2, "1": 0.4}},
        )
    )
    found = searches.search_of(searches.curves_of([trial(0, [0.2, 0.4], "PRUNED"), promoted]))
    assert found.values == (0.2, 0.4, 0.6)


def test_the_pools_means_are_those_over_every_order() -> None:
    bests, length = (0.1, 0.4, 0.4, 0.2, 0.3), 3
    pool = searches.Pool(bests, length)
    orders = list(itertools.permutations(bests))
    for count in (1, 2, 3, 5):
        highest = [max(order[:count]) for order in orders]
        assert pool.best_of(count) == pytest.approx(sum(highest) / len(orders))
        for value in (0.05, 0.2, 0.35, 0.4):
            share = sum(best <= value for best in highest) / len(orders)
            assert pool.share_up_to(value, count) == pytest.approx(share)
    for target in (0.2, 0.3, 0.4):
        first = [next(place for place, best in enumerate(order, 1) if best >= target) for order in orders]
        assert pool.epochs_to(target) == pytest.approx(length * sum(first) / len(first))
    assert pool.epochs_to(0.5) == math.inf


@pytest.mark.parametrize(
    ("tpe", "needed", "share", "met", "near", "equalled"),
    [
        ([[0.2, 0.496, 0.5]], 3, "0.33", "yes", 2, "1.00"),
        ([[0.2, 0.494], [0.3, 0.6]], 4, "0.44", "no", 4, "0.00"),
        ([[0.2, 0.4], [0.3, 0.48]], "> 4", "–", "no", "> 4", "0.00"),
    ],
)
def test_the_table_says_whether_a_third_was_enough(
    tpe: list[list[float]],
    needed: int | str,
    share: str,
    met: str,
    near: int | str,
    equalled: str,
) -> None:
    pool = searches.Pool((0.5, 0.5, 0.5, 0.3), 3)
    searched = searches.search_of([searches.Curve("PRUNED", tuple(values)) for values in tpe])
    random = searches.search_of([searches.Curve("COMPLETE", (0.2, 0.3, 0.5))])
    (row,) = comparison.rows(pool, 3, {0: (random, searched)})
    assert (row["random_epochs"], row["third"], row["target"], row["random_at"]) == (9, 3, "0.5000", "0.4500")
    assert (row["tpe_epochs_to_target"], row["share"], row["within_third"]) == (needed, share, met)
    assert (row["tpe_epochs_to_near"], row["searches_equalled"]) == (near, equalled)
    assert (row["own_random_best"], row["tpe_epochs_to_own"]) == ("0.5000", needed)


def test_the_mean_share_has_its_interval_and_names_what_is_open() -> None:
    pool = searches.Pool((0.5, 0.5, 0.5, 0.3), 3)  # three trials come to 0.5: nine epochs

    def search(*values: float) -> searches.Search:
        return searches.search_of([trial(number, [value], "PRUNED") for number, value in enumerate(values)])

    tpes = [search(0.1, 0.2, 0.5), search(0.1, 0.5), search(0.1, 0.1, 0.1, 0.1)]
    shares = np.array([3, 2, 4]) / 9
    mean, low, high, open_ = comparison.mean_share(pool, 3, tpes)
    interval = stats.t.interval(0.95, 2, loc=shares.mean(), scale=stats.sem(shares))
    assert (mean, low, high) == pytest.approx((shares.mean(), *interval))
    assert open_ == 1
    assert math.isnan(comparison.mean_share(pool, 3, tpes[:1])[1])


def test_tpe_spends_the_third_whole_and_goes_on_only_without_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def grown(values: list[float]) -> list[int]:
        """Run a search whose trials of two epochs come to `values`; return the trials asked for."""
        asked: list[int] = []

        def read(folder: Path) -> object:
            count = asked[-1] if asked else 0
            return searches.search_of([searches.Curve("PRUNED", (0.0, values[n])) for n in range(count)])

        def run(folder: Path, trials: int, seed: int, words: object) -> object:
            asked.append(trials)
            return read(folder)

        monkeypatch.setattr(comparison, "read", read)
        monkeypatch.setattr(comparison, "run", run)
        comparison.search_until(tmp_path, 0, [], 0.5, least=36, most=72)
        return asked

    assert grown([0.5] * 99)[-1] == 18
    late = grown([0.1] * 20 + [0.5] * 79)
    assert 21 <= late[-1] <= 26
    assert grown([0.1] * 99)[-1] == 36


def test_the_figure_shows_random_search_also_three_times_as_fast() -> None:
    tpe = searches.search_of([searches.Curve("COMPLETE", (0.2, 0.49, 0.45))])
    ax = comparison.draw(searches.Pool((0.5, 0.4, 0.3), 3), 3, {200: tpe})
    lines = {str(line.get_label()): line for line in ax.lines}
    assert list(lines["TPE with successive halving, seed 200"].get_ydata()) == pytest.approx([20, 49, 49])
    (slow,) = (line for label, line in lines.items() if label.startswith("random search"))
    fast = lines["the same, three times as fast"]
    assert list(slow.get_xdata()) == [3, 6, 9]
    assert list(fast.get_xdata()) == [1, 2, 3]
    assert list(slow.get_ydata()) == list(fast.get_ydata()) == pytest.approx([40, 140 / 3, 50])
    aim = lines["the aim: a third of the epochs"]
    assert (aim.get_xdata()[0], aim.get_ydata()[0]) == (3, pytest.approx(50))


def test_claims_stand_beside_what_was_confirmed() -> None:
    def confirmed(claimed: float, values: list[float]) -> Confirmed:
        runs = [ArmRun(arm="default", seed=seed, value=0.4 + seed / 100) for seed in range(3)]
        runs += [ArmRun(arm="setting 7", seed=seed, value=value) for seed, value in enumerate(values)]
        report = ablation_report(runs, baseline="default")
        return Confirmed(report, claims_of(report, [("setting 7", claimed)]))

    found = {200: confirmed(0.56, [0.5, 0.52, 0.54]), 201: confirmed(0.5, [0.5, 0.5, 0.5])}
    first, second = search_claims.claim_rows(found)
    assert (first["claimed"], first["confirmed"], first["too_good"]) == ("0.5600", "0.5200", "0.0400")
    assert (first["default"], first["difference"], first["seeds"]) == ("0.4100", "0.1100", 3)
    assert float(first["low"]) < 0.11 < float(first["high"])
    assert second["too_good"] == "0.0000"
    mean, low, high = search_claims.mean_curse(list(found.values()))
    half = stats.t.ppf(0.975, 1) * np.std([0.04, 0], ddof=1) / math.sqrt(2)
    assert (mean, low, high) == pytest.approx((0.02, 0.02 - half, 0.02 + half))
    assert math.isnan(search_claims.mean_curse([found[200]])[1])
