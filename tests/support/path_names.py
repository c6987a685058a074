"""Names that a file system takes, whatever they mean to a shell, to Hydra or to a URL."""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from typing import Any

from hypothesis import example
from hypothesis import strategies as st

# All alphabets, punctuation, undecodable bytes; no separator.
NAMES = st.text(
    st.one_of(
        st.sampled_from(string.punctuation.replace("/", "") + " 0aé"),
        st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]),
        st.sampled_from("\udcf6\udc80"),
    ),
    min_size=1,
    max_size=40,
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) < 200)
NASTY = (
    "archive (1), [a,b] {x:1}",
    "~",
    "a${b}\\${c}\\",
    "-x #1 ~b",
    "%20?mode=ro#study",
    "été\udcf6",
    "choice(a,b)",
    " two\nlines\t",
    "2024",
    'it\'s "one" <b>&amp;',
    "null",
    "表情 لوحة Ж\u0301",
    "*[a-z]?",
    "true",
    "a,b",
    "http:::a",
    "[a,b]",
    "epoch=3-step=100",
)


def examples(*chosen: str) -> Callable[[Any], Any]:
    """Try these names, all of `NASTY` by default, each with the one after it."""
    names = chosen or NASTY

    def decorate(test: Any) -> Any:
        for name, other in zip(names, [*names[1:], names[0]], strict=True):
            test = example(name, other)(test)
        return test

    return decorate
