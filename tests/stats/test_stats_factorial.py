from __future__ import annotations

import itertools
import math

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from fer_lightning.errors import DataError
from fer_lightning.stats.factorial import anova_table, crossed_pairs
from fer_lightning.stats.importance import factor_importance, objective_importance, study_importance
from fer_lightning.stats.records import ArmRun

optuna.logging.set_verbosity(optuna.logging.WARNING)


def factorial_runs(effect, n_seeds=4, noise=0.002, dropouts=("0", "0.5")):
    """Full factorial of activation x dropout x augmentation; `effect` gives the value of a cell."""
    rng = np.random.default_rng(0)
    runs = []
    cells = itertools.product(("relu", "selu"), dropouts, ("none", "flip"))
    for act, drop, aug in cells:
        levels = {"model.activation": act, "model.dropout": drop, "augmentation": aug}
        for seed in range(n_seeds):
            value = 0.5 + effect(act, drop, aug) + noise * rng.standard_normal() + 0.001 * seed
            runs.append(ArmRun(f"{act} {drop} {aug}", seed, levels=levels, value=value))
    return runs


def interacting(act, drop, aug):
    return 0.05 * (act == "selu") * (drop == "0.5") + 0.02 * (aug == "flip")


def test_table_is_that_of_statsmodels():
    runs = factorial_runs(interacting)
    frame = pd.DataFrame(
        {
            "y": [run.value for run in runs],
            "s": [str(run.seed) for run in runs],
            "a": [run.levels["model.activation"] for run in runs],
            "d": [run.levels["model.dropout"] for run in runs],
            "g": [run.levels["augmentation"] for run in runs],
        }
    )
    oracle = anova_lm(ols("y ~ (a + d + g) ** 2 + s", frame).fit(), typ=2)
    table = anova_table(runs)
    for term, key in {
        ("model.activation",): "a",
        ("model.dropout", "model.activation"): "a:d",
        ("augmentation", "model.activation"): "a:g",
        ("seed",): "s",
        ("residual",): "Residual",
    }.items():
        row = table.row(*term)
        assert row.sum_sq == pytest.approx(oracle.loc[key, "sum_sq"])
        assert row.df == oracle.loc[key, "df"]
    assert table.row("model.activation").p == pytest.approx(oracle.loc["a", "PR(>F)"])
    assert sum(row.share for row in table.rows) == pytest.approx(1)
    assert table.n_runs == 32


def test_sums_of_squares_worked_by_hand():
    # Two by two, no noise but a seed effect: activation adds 0.1, dropout 0.04, both together 0.02 more.
    def value(act, drop, aug):
        return 0.1 * (act == "selu") + 0.04 * (drop == "0.5") + 0.02 * (act == "selu") * (drop == "0.5")

    rng = np.random.default_rng(1)
    runs = [
        ArmRun(
            "x", s, levels={"a": act, "d": drop}, value=value(act, drop, "") + 1e-9 * rng.standard_normal()
        )
        for act, drop, s in itertools.product(("relu", "selu"), ("0", "0.5"), range(3))
    ]
    table = anova_table(runs)
    # Main effects at the mean of the other factor: 0.11 and 0.05; SS = 12 runs x (effect / 2) squared.
    assert table.row("a").sum_sq == pytest.approx(12 * 0.055**2)
    assert table.row("d").sum_sq == pytest.approx(12 * 0.025**2)
    assert table.row("a", "d").sum_sq == pytest.approx(12 * 0.005**2, rel=1e-4)


def test_interaction_that_is_there_is_found_and_others_are_not():
    table = anova_table(factorial_runs(interacting))
    assert table.row("model.activation", "model.dropout").p_holm < 1e-6
    assert table.row("augmentation").p_holm < 1e-6
    assert table.row("augmentation", "model.dropout").p_holm > 0.05
    assert table.row("augmentation", "model.activation").p_holm > 0.05


def test_failed_runs_are_left_out():
    runs = factorial_runs(interacting)
    runs[5] = ArmRun(runs[5].arm, runs[5].seed, state="FAIL", levels=runs[5].levels)
    table = anova_table(runs)
    assert table.n_runs == 31
    assert table.row("residual").df == 31 - 1 - 6 - 3


def test_one_factor_at_a_time_has_no_interactions():
    runs = [
        ArmRun(
            f"{a} {d}", s, levels={"a": a, "d": d}, value=0.5 + 0.1 * (a == "selu") + 0.001 * s * (d == "0")
        )
        for (a, d), s in itertools.product([("relu", "0"), ("selu", "0"), ("relu", "0.5")], range(3))
    ]
    assert crossed_pairs(runs) == []
    table = anova_table(runs)
    assert table.not_estimable == (("a", "d"),)
    with pytest.raises(KeyError):
        table.row("a", "d")
    assert table.row("a").p < 0.001


def test_too_little_is_refused_in_one_line():
    runs = factorial_runs(interacting)
    with pytest.raises(DataError, match=r"factors that vary in the complete runs: model.dropout;"):
        anova_table([run for run in runs if run.levels["augmentation"] == "none" and "relu" in run.arm])
    single = [run for run in runs if run.seed == 0 and run.levels["augmentation"] == "none"]
    with pytest.raises(DataError, match="4 complete runs are too few for 3 terms"):
        anova_table(single)
    tied = [run for run in runs if ("relu" in run.arm) == ("none" in run.arm)]
    with pytest.raises(DataError, match="do not tell the factors"):
        anova_table(tied)
    with pytest.raises(DataError, match=r"no level of 'model.dropout'"):
        anova_table([*runs, ArmRun("odd", 0, value=0.5, levels={"model.activation": "relu"})])


def test_the_factor_that_explains_the_variance_is_the_important_one():
    runs = factorial_runs(lambda act, drop, aug: 0.2 * (act == "selu") + 0.01 * (drop == "0.5"))
    found = factor_importance(runs)
    assert next(iter(found)) == "model.activation"
    assert found["model.activation"] > 0.95
    assert sum(found.values()) == pytest.approx(1)
    assert set(found) == {"model.activation", "model.dropout", "augmentation", "seed"}
    assert "seed" not in factor_importance(runs, with_seed=False)
    assert factor_importance(runs) == found  # the forest is seeded


def test_importance_of_a_search_follows_the_target():
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(0))

    def objective(trial):
        rate = trial.suggest_float("rate", 0.0, 1.0)
        depth = trial.suggest_int("depth", 1, 9)
        return rate, depth

    study.optimize(objective, n_trials=60)
    assert study_importance(study, target=lambda t: t.values[0])["rate"] > 0.95
    assert study_importance(study, target=lambda t: t.values[1])["depth"] > 0.95


def test_a_search_claims_no_importance_of_few_trials_or_of_what_did_not_vary():
    space = {
        "width": IntDistribution(4, 64),
        "rate": FloatDistribution(0, 1),
        "drop": FloatDistribution(0, 1),
    }

    def searched(count):
        study = optuna.create_study()
        study.add_trials(
            optuna.create_trial(
                params={"width": 8, "rate": number / 16, "drop": number % 3 / 3},
                distributions=space,
                value=number / 16,
            )
            for number in range(count)
        )
        # Neither a pruned trial nor one without a finite value is evidence.
        for state, value in ((TrialState.PRUNED, 0.1), (TrialState.COMPLETE, math.inf)):
            params = {"width": 64, "rate": 0.5, "drop": 0.5}
            study.add_trial(optuna.create_trial(state=state, params=params, distributions=space, value=value))
        return study

    assert objective_importance(searched(9)) == {}
    found = objective_importance(searched(12))
    assert set(found) == {"rate", "drop"}
    assert found["rate"] > 0.8


def test_importance_needs_runs_that_differ():
    runs = [ArmRun("a", s, levels={"f": "x"}, value=0.5) for s in range(3)]
    with pytest.raises(DataError, match="no factor varies"):
        factor_importance(runs)
    same = [ArmRun(f, s, levels={"f": f}, value=0.5) for f in "xy" for s in range(2)]
    with pytest.raises(DataError, match="4 complete trials with 1 different values"):
        factor_importance(same)
