"""The kinds of values that the sweeper's options take, each with what a message calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from fer_lightning.config.values import Count, Positive

Unit = Annotated[str, Field(pattern=r"\S", description="share, or a unit such as s")]
Folds = Annotated[int, Field(ge=2)]
SeedKey = Annotated[str, Field(pattern=r"^[+~]*[^+~=]", description="the key of the seed, such as seed")]
Directions = Annotated[
    Sequence[Literal["maximize", "minimize"]], Field(description="max or min, or a list of them")
]
ConfirmSeeds = Annotated[int | list[int], Field(description="how many seeds, or a list of them")]
Constraints = Annotated[
    Sequence[str] | str, Field(description="a list such as ['parameters<2e6','seconds<60']")
]
Places = Annotated[Sequence[str] | str, Field(description="a study's folder or storage, or a list of them")]
Kept = Annotated[str, Field(pattern=r"^(all|none|best:[1-9][0-9]*)$", description="all, none, or best:5")]
Settings = Annotated[Sequence[Mapping[str, Any]], Field(description="a list of settings such as [{lr: 0.1}]")]


class Budget(TypedDict, total=False):
    """What a study may cost; a null is no limit."""

    minutes: Positive | None
    epochs: Count | None
