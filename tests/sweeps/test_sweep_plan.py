from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.plan.parse_plan import parse_plan
from fer_lightning.sweeps.plan.plan import Plan

FACTORS: dict[str, Any] = {
    "activation": {"key": "model.activation", "levels": ["selu", "leaky_relu"], "baseline": "relu"},
    "dropout": {"key": "model.dropout_scale", "levels": [0.0], "baseline": 1.0},
    "net": {
        "levels": {"wide": ["model.width=64", "optimizer.lr=0.01"], "narrow": ["model.width=32"]},
        "baseline": "narrow",
    },
}


def plan(kind: str, factors: dict[str, Any] = FACTORS, seeds: tuple[int, ...] = (0, 1)) -> Plan:
    return parse_plan({"plan": kind, "factors": factors}, seeds)


def test_one_factor_at_a_time() -> None:
    arms = plan("one_factor").arms
    assert [arm.name for arm in arms] == [
        "baseline", "activation=selu", "activation=leaky_relu", "dropout=0.0", "net=wide",
    ]  # fmt: skip
    assert arms[0].overrides == ("model.activation=relu", "model.dropout_scale=1.0", "model.width=32")
    assert arms[1].overrides == ("model.activation=selu", "model.dropout_scale=1.0", "model.width=32")
    assert arms[4].overrides == (
        "model.activation=relu", "model.dropout_scale=1.0", "model.width=64", "optimizer.lr=0.01",
    )  # fmt: skip
    assert arms[4].levels == {"activation": "relu", "dropout": 1.0, "net": "wide"}


def test_leave_one_out_takes_each_improvement_away_once() -> None:
    factors = {**FACTORS, "activation": {**FACTORS["activation"], "without": "leaky_relu"}}
    arms = plan("leave_one_out", factors).arms
    assert [arm.name for arm in arms] == ["baseline", "activation=leaky_relu", "dropout=0.0", "net=wide"]


def test_pairwise_has_the_singles_and_every_two_together() -> None:
    names = [arm.name for arm in plan("pairwise").arms]
    assert names[:5] == [arm.name for arm in plan("one_factor").arms]
    assert names[5:] == [
        "activation=selu, dropout=0.0",
        "activation=leaky_relu, dropout=0.0",
        "activation=selu, net=wide",
        "activation=leaky_relu, net=wide",
        "dropout=0.0, net=wide",
    ]


def test_full_factorial_is_the_product_of_the_levels() -> None:
    arms = plan("full_factorial").arms
    product = set(itertools.product(("relu", "selu", "leaky_relu"), (1.0, 0.0), ("narrow", "wide")))
    assert {tuple(arm.levels.values()) for arm in arms} == product
    assert len(arms) == len(product) == 12
    assert arms[0].name == "baseline"


def test_every_arm_runs_under_every_seed_and_seed_by_seed() -> None:
    cells = plan("one_factor", seeds=(7, 3)).plain_trials
    assert [(cell.arm.name, cell.seed) for cell in cells[:6]] == [
        ("baseline", 7), ("activation=selu", 7), ("activation=leaky_relu", 7), ("dropout=0.0", 7),
        ("net=wide", 7), ("baseline", 3),
    ]  # fmt: skip
    assert cells[5].overrides[-1] == "seed=3"
    assert cells[1].params == {"activation": "selu", "dropout": 1.0, "net": "narrow", "seed": 7}


def test_every_arm_and_seed_runs_on_every_fold() -> None:
    folded = replace(plan("one_factor", seeds=(7, 3)), folds=3, fold_key="cv.fold")
    trials = folded.plain_trials
    assert [(t.seed, t.fold) for t in trials[::5]] == [(7, 0), (7, 1), (7, 2), (3, 0), (3, 1), (3, 2)]
    assert {t.arm.name for t in trials[:5]} == {arm.name for arm in folded.arms}
    assert trials[5].overrides[-2:] == ["seed=7", "cv.fold=1"]
    assert trials[5].params["fold"] == 1
    assert folded.size == len({t.key for t in trials}) == 30
    assert folded.as_config()["folds"] == 3
    assert "folds" not in plan("one_factor").as_config()


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.sampled_from(["one_factor", "pairwise", "full_factorial"]),
)
def test_arms_are_distinct_and_as_many_as_combinatorics_says(variants: list[int], kind: str) -> None:
    factors = {
        f"f{index}": {"key": f"k{index}", "levels": list(range(1, count + 1)), "baseline": 0}
        for index, count in enumerate(variants)
    }
    arms = plan(kind, factors).arms
    singles = sum(variants)
    pairs = sum(a * b for a, b in itertools.combinations(variants, 2))
    full = 1
    for count in variants:
        full *= count + 1
    expected = {"one_factor": 1 + singles, "pairwise": 1 + singles + pairs, "full_factorial": full}
    assert len(arms) == expected[kind]
    assert len({arm.overrides for arm in arms}) == len(arms)
    assert len({arm.name for arm in arms}) == len(arms)
    assert arms[0].levels == dict.fromkeys(factors, 0)


def test_a_baseline_that_is_not_given_is_the_present_value() -> None:
    factors = {"activation": {"key": "model.activation", "levels": ["selu", "relu"]}}
    made = parse_plan({"factors": factors}, [0], {"model.activation": "relu"}.get)
    assert [arm.name for arm in made.arms] == ["baseline", "activation=selu"]


def test_a_factor_set_to_null_is_left_out() -> None:
    made = plan("one_factor", {**FACTORS, "net": None})
    assert [factor.name for factor in made.factors] == ["activation", "dropout"]


def test_keys_are_those_that_some_level_sets() -> None:
    assert plan("one_factor").keys == {
        "model.activation", "model.dropout_scale", "model.width", "optimizer.lr",
    }  # fmt: skip


ONE = {"activation": FACTORS["activation"]}


@pytest.mark.parametrize(
    ("config", "seeds", "message"),
    [
        ({"plan": "all", "factors": ONE}, [0], r"ablation\.plan=all: expected one of one_factor"),
        ({"factor": ONE}, [0], r"ablation\.factor: no such key; did you mean ablation\.factors\?"),
        ({"factors": {}}, [0], r"ablation\.factors=\{\}: expected at least one factor"),
        ({"factors": {"x": 3}}, [0], r"ablation\.factors\.x=3: expected a mapping"),
        ({"factors": {"x": {"levels": [1]}}}, [0], r"factors\.x\.key=null: expected a configuration key"),
        ({"factors": {"x": {"key": "a", "levels": 3}}}, [0], r"factors\.x\.levels=3: expected a list"),
        ({"factors": {"x": {"key": "a", "levels": [1]}}}, [0], r"baseline: is missing, and a has no value"),
        ({"factors": {"x": {"key": "a", "levels": [1], "baseline": 1}}}, [0], r"at least one level beside"),
        ({"factors": {"x": {"key": "a", "level": [1]}}}, [0], r"factors\.x\.level: no such key; did you mean"),
        ({"factors": {"x": {"levels": {"u": ["a=1"]}, "baseline": "v"}}}, [0], r"baseline=v: is none of"),
        ({"factors": {"x": {"levels": {"u": "a=1", "v": []}, "baseline": "v"}}}, [0], r"u='a=1': expected"),
        (
            {"factors": {"x": {"key": "a", "levels": {"u": ["a=1"]}, "baseline": "u"}}},
            [0],
            r"factors\.x: has a key and named levels",
        ),
        (
            {"factors": {**ONE, "b": {"key": "model.activation", "levels": [1], "baseline": 0}}},
            [0],
            r"activation and b both set model\.activation",
        ),
        ({"factors": {"x": {"key": "a", "levels": [1], "baseline": 0, "without": 2}}}, [0], r"without=2: is none"),
        ({"plan": "leave_one_out", "factors": ONE}, [0], r"activation\.without: which of \['selu'"),
        (
            {"plan": "leave_one_out", "factors": {"x": {"key": "a", "levels": [1], "baseline": 0, "without": 0}}},
            [0],
            r"without=0: is the baseline's level",
        ),
        ({"factors": {"seed": {"key": "seed", "levels": [1], "baseline": 0}}}, [0], r"seeds are no factor"),
        ({"factors": ONE}, None, r"seeds=null: expected a non-empty list"),
        ({"factors": ONE}, [], r"seeds=\[\]: expected a non-empty list"),
        ({"factors": ONE}, [0, 0], r"seeds=\[0, 0\]: a seed is listed twice"),
        ({"factors": ONE}, [0, "1"], r"seeds=\[0, '1'\]: expected .* whole numbers from 0"),
        ({"factors": ONE}, [-1], r"seeds=\[-1\]: expected .* whole numbers from 0"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_named_in_one_line(config: Any, seeds: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_plan(config, seeds)
    assert "\n" not in str(caught.value)
