"""Tuning each arm of a plan: the same few points of settings in every arm, and the choice among them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, TypedDict

from optuna.distributions import FloatDistribution, IntDistribution, distribution_to_json
from pydantic import Field

from fer_lightning.config.values import Seed, check_value, hints_of
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.parse_space import parse_parameter
from fer_lightning.sweeps.space.search_space import Parameter

_WHERE = "ablation.tuning"
_DIGITS = 3


class _Node(TypedDict):
    n_trials: Annotated[int, Field(ge=2)]  # the arm's own settings and others
    seed: Seed
    parameters: Any


@dataclass(frozen=True)
class Tuning:
    """A small search of settings in each arm, at one seed that no comparison uses.

    Point 0 is what the arm has without tuning; the other `n_trials` - 1 are drawn once and tried in every arm,
    so that no arm gets a better search than another and the order of the trials does not matter.

    Attributes
    ----------
    own
        Each arm's settings without tuning by the parameters' names, as far as they are known.
    """

    parameters: tuple[Parameter, ...]
    n_trials: int
    seed: int
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def points(self) -> tuple[Mapping[str, Any], ...]:
        """The drawn values by parameter, for points 1, 2, …: the first of a scrambled Sobol sequence."""
        # Only a study that tunes needs it, and it takes a moment to import.
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self.parameters), scramble=True, rng=self.seed)
        # Only as many as a power of two are spread evenly; the first of them are so nearly.
        drawn = sequence.random_base2(math.ceil(math.log2(max(self.n_trials - 1, 1))))
        return tuple(
            {p.name: value_at(p, float(u)) for p, u in zip(self.parameters, row, strict=True)}
            for row in drawn[: self.n_trials - 1]
        )

    def parameter(self, name: str) -> Parameter:
        """The parameter with a name; KeyError where there is none."""
        return {parameter.name: parameter for parameter in self.parameters}[name]

    def as_config(self) -> dict[str, Any]:
        """A plain description, by which two tunings are compared."""
        parameters = {
            p.name: {"key": p.key, **json.loads(distribution_to_json(p.distribution))["attributes"]}
            for p in self.parameters
        }
        return {"n_trials": self.n_trials, "seed": self.seed, "parameters": parameters}


def value_at(parameter: Parameter, share: float) -> Any:
    """The value that lies at a share (0 to 1) of a parameter's range; numbers to three digits."""
    candidates = parameter.candidates()
    if candidates is not None:
        return candidates[min(int(share * len(candidates)), len(candidates) - 1)]
    distribution = parameter.distribution
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    else:
        value = low + share * (high - low)
    if isinstance(distribution, IntDistribution):
        return min(max(round(value), distribution.low), distribution.high)
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)


def choose(tries: Iterable[tuple[int, str, float | None]], *, maximize: bool) -> int | None:
    """The point whose settings an arm is compared at.

    Parameters
    ----------
    tries
        Point, state of its trial and value, of all of the arm's tuning trials.

    Returns
    -------
    None while a trial is unfinished. Of equal points the lowest number, so that an arm keeps its own settings
    unless others were better; point 0 too where no trial is complete.
    """
    found = sorted(tries)
    if any(state in ("RUNNING", "WAITING") for _, state, _ in found):
        return None
    done = [
        (point, value)
        for point, state, value in found
        if state == "COMPLETE" and value is not None and math.isfinite(value)
    ]
    if not done:
        return 0
    return max(done, key=lambda one: one[1] if maximize else -one[1])[0]


def parse_tuning(node: Any, seeds: Iterable[int]) -> Tuning | None:
    """Read `ablation.tuning`; None where there is none.

    Parameters
    ----------
    node
        ``{n_trials, seed, parameters: {name: {key, type, low, high, log, step, choices}}}``
    seeds
        Those of the comparison, which the tuning must not use.

    Raises
    ------
    ConfigError
        Naming the entry that is wrong.
    """
    if node is None:
        return None
    given = dict.fromkeys(hints_of(_Node)) | dict(node) if isinstance(node, Mapping) else node
    check_value(given, _Node, _WHERE)
    n_trials, seed = node["n_trials"], node["seed"]
    if seed in seeds:
        raise ConfigError(
            f"{_WHERE}.seed={seed}: is one of seeds={list(seeds)}; expected one that no arm is compared under"
        )
    return Tuning(_parameters(node.get("parameters")), n_trials, seed)


def _parameters(nodes: Any) -> tuple[Parameter, ...]:
    if not isinstance(nodes, Mapping) or not any(node is not None for node in nodes.values()):
        raise ConfigError(f"{_WHERE}.parameters={nodes!r}: expected at least one range")
    place = f"{_WHERE}.parameters"
    parsed = tuple(parse_parameter(str(n), node, place) for n, node in nodes.items() if node is not None)
    seen: set[str] = set()
    for parameter in parsed:
        if parameter.conditions:
            raise ConfigError(f"{place}.{parameter.name}.when: a tuned parameter cannot have conditions")
        if parameter.key in seen:
            raise ConfigError(f"{place}.{parameter.name}: {parameter.key} is tuned twice")
        if parameter.key == "seed":
            raise ConfigError(f"{place}.{parameter.name}: the seed cannot be tuned")
        seen.add(parameter.key)
    return parsed
