from __future__ import annotations

import math

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.command_line import split_overrides
from fer_lightning.sweeps.space.override import element, key_of, node_of, override
from fer_lightning.sweeps.space.parse_space import parse_space
from fer_lightning.sweeps.space.search_space import SearchSpace

optuna.logging.set_verbosity(optuna.logging.WARNING)

CONDITIONAL = {
    # The condition comes before what it names: the order is the reader's, not the sampler's.
    "slope": {"key": "model.slope", "type": "float", "low": 0.01, "high": 0.3, "log": True,
              "when": {"model.activation": "leaky_relu"}},
    "activation": {"key": "model.activation", "choices": ["relu", "leaky_relu"]},
    "depth": {"type": "int", "low": 1, "high": 3,
              "when": {"model.activation": ["relu"], "model.kind": "cnn"}},
}  # fmt: skip


def parsed(texts: list[str]) -> SearchSpace:
    fixed, space = split_overrides(OverridesParser.create().parse_overrides(texts))
    assert fixed == []
    return space


def no_fixed(key: str) -> None:
    return None


def test_conditional_parameters_exist_exactly_when_their_condition_holds() -> None:
    space = parse_space(CONDITIONAL)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(40):
        trial = study.ask()
        overrides = space.suggest(trial, {"model.kind": "cnn"}.get)
        keys = {key_of(text) for text in overrides}
        activation = trial.params["activation"]
        seen.add(activation)
        assert f"model.activation={activation}" in overrides
        assert ("model.slope" in keys) == ("slope" in trial.params) == (activation == "leaky_relu")
        assert ("depth" in keys) == (activation == "relu")
    assert seen == {"relu", "leaky_relu"}


def test_conditions_on_keys_outside_the_space_use_the_fixed_configuration() -> None:
    space = parse_space(CONDITIONAL)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    keys = [key_of(t) for _ in range(30) for t in space.suggest(study.ask(), {"model.kind": "dnn"}.get)]
    assert "depth" not in keys


def test_points_of_a_finite_space_observe_conditions() -> None:
    config = {**CONDITIONAL, "slope": {**CONDITIONAL["slope"], "log": False, "low": 0.1, "step": 0.1}}
    points = list(parse_space(config).points({"model.kind": "cnn"}.get))
    relu = [{"model.activation": "relu", "depth": depth} for depth in (1, 2, 3)]
    leaky = [{"model.activation": "leaky_relu", "model.slope": slope} for slope in (0.1, 0.2, 0.3)]
    assert sorted(points, key=str) == sorted(relu + leaky, key=str)


def test_a_conditional_space_cannot_be_a_grid_and_an_infinite_one_has_no_points() -> None:
    with pytest.raises(ConfigError, match=r"search_space\.slope: a grid cannot hold a conditional parameter"):
        parse_space(CONDITIONAL).grid()
    with pytest.raises(ConfigError, match=r"search_space\.lr: a grid needs finitely many values"):
        parse_space({"lr": {"type": "float", "low": 0, "high": 1}}).grid()


def test_two_parameters_may_set_one_key_under_excluding_conditions() -> None:
    space = parse_space(
        {
            "optimizer": {"choices": ["adam", "sgd"]},
            "lr_adam": {"key": "optimizer.lr", "choices": [0.001], "when": {"optimizer": "adam"}},
            "lr_sgd": {"key": "optimizer.lr", "choices": [0.1], "when": {"optimizer": "sgd"}},
        }
    )
    drawn = {tuple(p.items()) for p in space.points(no_fixed)}
    assert drawn == {
        (("optimizer", "adam"), ("optimizer.lr", 0.001)),
        (("optimizer", "sgd"), ("optimizer.lr", 0.1)),
    }


def test_a_list_is_a_choice_under_its_text() -> None:
    space = parse_space({"layers": {"key": "model.layers", "choices": [[8, 8], [16, 4]]}})
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(space.grid()))
    texts = [space.suggest(study.ask(), no_fixed)[0]]
    assert texts[0] in ("model.layers=[8,8]", "model.layers=[16,4]")
    assert space.grid() == {"layers": ["[8,8]", "[16,4]"]}


def test_distributions_have_the_given_bounds() -> None:
    space = parse_space(
        {
            "a": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
            "b": {"type": "int", "low": 2, "high": 8, "step": 3},
            "c": {"choices": [True, None, 1.5, "x"]},
        }
    )
    a, b, c = (parameter.distribution for parameter in space.parameters)
    assert a == optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)
    assert b == optuna.distributions.IntDistribution(2, 8, step=3)
    assert c == optuna.distributions.CategoricalDistribution((True, None, 1.5, "x"))
    assert space.parameters[1].candidates() == [2, 5, 8]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([1], r"search_space=\[1\]: expected a mapping"),
        ({"x": 3}, r"search_space\.x=3: expected a mapping such as"),
        ({"x": {"type": "real"}}, r"search_space\.x\.type=real: expected one of float, int, categorical"),
        ({"x": {}}, r"search_space\.x\.type=null"),
        ({"x": {"type": "float", "low": 0}}, r"search_space\.x\.high=null: expected a number"),
        (
            {"x": {"type": "int", "low": 0.5, "high": 2}},
            r"search_space\.x\.low=0\.5: expected a whole number",
        ),
        ({"x": {"type": "float", "low": 2, "high": 1}}, r"search_space\.x: .*low.*high"),
        ({"x": {"type": "float", "low": 0, "high": 1, "log": True}}, r"search_space\.x: .*log"),
        (
            {"x": {"type": "float", "low": 1, "hihg": 2}},
            r"search_space\.x\.hihg: no such key; did you mean",
        ),
        ({"x": {"choices": []}}, r"search_space\.x\.choices=\[\]: expected a non-empty list"),
        ({"x": {"choices": "abc"}}, r"search_space\.x\.choices=abc: expected a non-empty list"),
        ({"x": {"choices": [1, 2, 1]}}, r"search_space\.x\.choices: 1 is listed twice"),
        ({"x": {"choices": [1], "when": 3}}, r"search_space\.x\.when=3: expected a mapping"),
        (
            {"x": {"choices": [1], "when": {"y": 1}}, "y": {"choices": [1], "when": {"x": 1}}},
            r"search_space\.x\.when: the conditions form a circle",
        ),
    ],
)
def test_a_wrong_space_is_named_in_one_line(config: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_space(config)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_command_line_sweeps_become_parameters() -> None:
    space = parsed(
        [
            "a=relu,selu",
            "b=range(1,4)",
            "c=interval(0.1,0.5)",
            "d=tag(log,interval(1,100))",
            "e=tag(log,int(interval(1,100)))",
            "f=1,2.5,'x y',null",
        ]
    )
    choice = optuna.distributions.CategoricalDistribution
    assert [parameter.distribution for parameter in space.parameters] == [
        choice(("relu", "selu")),
        optuna.distributions.IntDistribution(1, 3),
        optuna.distributions.FloatDistribution(0.1, 0.5),
        optuna.distributions.FloatDistribution(1, 100, log=True),
        optuna.distributions.IntDistribution(1, 100, log=True),
        choice((1, 2.5, "x y", None)),
    ]
    assert space.keys == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("x=range(0,10)", optuna.distributions.IntDistribution(0, 9)),
        ("x=range(0.5,5.5,step=1)", optuna.distributions.FloatDistribution(0.5, 4.5, step=1.0)),
        ("x=range(0,1,step=0.1)", optuna.distributions.FloatDistribution(0.0, 0.9, step=0.1)),
        ("x=range(10,0,step=-2)", optuna.distributions.IntDistribution(2, 10, step=2)),
        ("x=shuffle(range(1,5))", optuna.distributions.IntDistribution(1, 4)),
        ("x=float(range(1,4))", optuna.distributions.FloatDistribution(1.0, 3.0, step=1.0)),
        ("x=tag(log,range(1,1000))", optuna.distributions.IntDistribution(1, 999, log=True)),
        ("x=tag(int,interval(1,8))", optuna.distributions.IntDistribution(1, 8)),
        ("x=tag(int,log,interval(1,100))", optuna.distributions.IntDistribution(1, 100, log=True)),
        ("x=tag(float,range(1,5))", optuna.distributions.FloatDistribution(1.0, 4.0, step=1.0)),
    ],
)
def test_a_range_keeps_its_order_and_a_tag_is_kept(
    text: str, distribution: optuna.distributions.BaseDistribution
) -> None:
    assert parsed([text]).parameters[0].distribution == distribution


@settings(deadline=None)
@given(start=st.integers(-20, 20), length=st.integers(1, 20), step=st.integers(1, 5))
def test_a_range_has_the_values_that_hydra_gives_it(start: int, length: int, step: int) -> None:
    text = f"x=range({start},{start + length},step={step})"
    override = OverridesParser.create().parse_override(text)
    assert parsed([text]).parameters[0].candidates() == list(override.value().range())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=tag(log,range(1,100,step=10))", "Optuna has no steps on a logarithmic scale"),
        ("x=tag(lgo,interval(1,100))", r"the tag lgo is not known; expected one of log, int, float"),
        ("x=tag(int,interval(0.5,8))", "expected whole numbers as the ends"),
        ("x=tag(int,range(0.5,8))", "the range has fractions"),
        ("x=tag(int,float,interval(1,8))", "has the tags int and float"),
        ("x=range(3,3)", "the range is empty"),
    ],
)
def test_a_range_that_cannot_be_searched_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parsed([text])
    assert str(caught.value).startswith(text)


def test_the_name_of_a_parameter_has_no_sign_and_its_package_is_part_of_it() -> None:
    space = parsed(["+x=1,2", "db@source=a,b", "db@target=a,b"])
    assert [(p.name, p.target, p.override(p.some_value())) for p in space.parameters] == [
        ("x", "x", "+x=1"),
        ("db@source", "db@source", "db@source=a"),
        ("db@target", "db@target", "db@target=a"),
    ]
    assert [node_of(key) for key in space.keys] == ["x", "source", "target"]


def test_a_condition_on_a_key_within_a_searched_group_is_asked_of_the_chosen_option() -> None:
    space = parse_space(
        {
            "model": {"choices": ["plain", "gated"]},
            "gate": {"key": "model.gate", "choices": [1], "when": {"model.kind": "gated"}},
        }
    )

    def kind_of(key: str, given: tuple[str, ...] = ()) -> str:
        assert key == "model.kind"
        return "gated" if "model=gated" in given else "plain"

    assert list(space.points(kind_of)) == [{"model": "plain"}, {"model": "gated", "model.gate": 1}]


def test_fixed_overrides_are_passed_on_as_they_were_typed() -> None:
    texts = ["+experiment=search", "~logger", "a='x,y'", "b=[1,2]", "c=1,2"]
    fixed, space = split_overrides(OverridesParser.create().parse_overrides(texts))
    assert fixed == texts[:4]
    assert space.keys == ["c"]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"), min_size=1),
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


def unquoted(value: object) -> object:
    if isinstance(value, list):
        return [unquoted(item) for item in value]
    return getattr(value, "text", value)


@settings(deadline=None)
@given(VALUES)
def test_an_override_is_read_back_as_the_value_that_was_written(value: object) -> None:
    read = OverridesParser.create().parse_override(override("a.b", value))
    assert read.key_or_group == "a.b"
    back = unquoted(read.value())
    assert back == value
    assert type(back) is type(value)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        element(object())
    assert math.isinf(OverridesParser.create().parse_override(override("x", math.inf)).value())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "key"), [("a.b=1", "a.b"), ("+x=2", "x"), ("++x@y=2", "x@y"), ("~model.norm", "model.norm")]
)
def test_key_of_an_override(text: str, key: str) -> None:
    assert key_of(text) == key
