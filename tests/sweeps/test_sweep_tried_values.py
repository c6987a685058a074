"""Which values of a search space are tried before any trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fer_lightning.sweeps.space.parse_space import parse_space
from fer_lightning.sweeps.space.tried_values import corners, tried_values


def lookup(key: str, given: Sequence[str] = ()) -> Any:
    return {"optimizer": "sgd" if "optimizer=sgd" in given else "adam", "depth": 2}[key]


SPACE = parse_space(
    {
        "lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 1.0},
        "share": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.5},
        "width": {"type": "int", "low": 8, "high": 64},
        "sizes": {"choices": [[8], [8, 16]]},
        "optimizer": {"choices": ["adam", "sgd"]},
        "momentum": {
            "key": "+optimizer.momentum",
            "type": "float",
            "low": 0.5,
            "high": 0.5,
            "when": {"optimizer": "sgd"},
        },
        "deep": {"choices": [1], "when": {"depth": 3}},
    }
)


def test_every_choice_and_both_ends_under_their_conditions() -> None:
    tried = {value.shown: value.ways for value in tried_values(SPACE, lookup)}
    assert list(tried) == [
        *(
            "lr=0.0001",
            "lr=0.01",
            "dropout=0.0",
            "dropout=1.0",
            "share=0.0",
            "share=1.0",
            "width=8",
            "width=64",
        ),
        *("sizes=[8]", "sizes=[8,16]", "optimizer=adam", "optimizer=sgd", "optimizer.momentum=0.5", "deep=1"),
    ]
    assert tried["width=64"] == (("width=64",),)
    assert tried["optimizer.momentum=0.5"] == (("optimizer=sgd", "+optimizer.momentum=0.5"),)
    assert tried["deep=1"] == (("depth=3", "deep=1"),)


def test_an_end_that_hardly_any_trial_gets_has_its_neighbour_within() -> None:
    tried = {value.shown: value.ways for value in tried_values(SPACE, lookup)}
    assert tried["dropout=1.0"] == (("dropout=1.0",), ("dropout=0.999",))
    (_, (word,)) = tried["lr=0.01"]
    assert float(word.removeprefix("lr=")) == pytest.approx(0.01 * 10**-0.002)


def test_corners_set_everything_that_exists_there() -> None:
    low, within, high, _ = (dict(word.split("=") for word in corner) for corner in corners(SPACE, lookup))
    assert (low["dropout"], within["dropout"]) == ("0.0", "0.001")
    assert low["optimizer"] == "adam"
    assert "+optimizer.momentum" not in low
    assert high["optimizer"] == "sgd"
    assert high["+optimizer.momentum"] == "0.5"
    assert high["sizes"] == "[8,16]"
