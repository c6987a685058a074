"""The trials of an earlier study as points of a new search's space, or why one of them is none."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.config.flatten import flatten
from fer_lightning.config.renamed import current_flat
from fer_lightning.errors import ConfigError
from fer_lightning.redact import redact
from fer_lightning.sweeps.composition import Composition
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.confirmation import SEARCH_SEED, is_confirming
from fer_lightning.sweeps.space.first_points import OutsideError, default_point, point_of
from fer_lightning.sweeps.space.override import element, key_of, node_of
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.study.constraints import measure
from fer_lightning.sweeps.study.identity import flat_json, shown_fixed
from fer_lightning.sweeps.study.results import Trial, study_trials
from fer_lightning.sweeps.study.taken import TAKEN

# What may differ between the two: how points are chosen, and where.
_OF_A_SEARCH = ("hydra.sweeper.", "search_space", "ablation")


class EarlierTrials:
    """An earlier study beside the space and the configuration of the search that takes its trials over."""

    def __init__(
        self,
        study: optuna.Study,
        place: str,
        options: SweepOptions,
        space: SearchSpace,
        composition: Composition,
        fixed: Mapping[str, Any],
    ) -> None:
        self._study, self._place = study, place
        self._options, self._space, self._composition = options, space, composition
        kept = redact(study.user_attrs["fixed"])
        self._keys = {name: key_of(node["key"]) for name, node in (kept.get("search_space") or {}).items()}
        self._theirs, self._ours = (
            {key: value for key, value in flat.items() if not key.startswith(_OF_A_SEARCH)}
            for flat in (current_flat(flat_json(kept)), flat_json(fixed))
        )
        self._choices: Mapping[str, Any] = study.user_attrs.get("choices", {})
        self._searched = set(self._keys.values())
        self._nodes = {node_of(key) for key in (*self._searched, *space.keys)}
        self._point = functools.partial(point_of, space=space, lookup=composition.lookup, whole=True)
        self._below = functools.lru_cache(maxsize=None)(self._below_groups)
        self._default: dict[str, Any] | None = None
        with suppress(OutsideError):
            self._default = dict(default_point(space, composition).params)

    def require_same(self, where: str) -> None:
        """Refuse a study in which something else is fixed."""
        for key in sorted({*self._theirs, *self._ours}):
            if not self._is_varied(key) and self._theirs.get(key) != self._ours.get(key):
                raise ConfigError(
                    f"{where}: has {key}={shown_fixed(self._theirs, key)}, this search "
                    f"{shown_fixed(self._ours, key)}; expected the same, or {key} in the search space"
                )

    def _is_varied(self, key: str) -> bool:
        return any(key == node or key.startswith(f"{node}.") for node in self._nodes)

    def taken(self) -> tuple[list[FrozenTrial], list[str]]:
        """Its trials as points of the search's space, and why each of the others is none."""
        taken, left = [], []
        for trial in study_trials(self._study, self._place):
            if is_confirming(trial.frozen):
                continue
            try:
                taken.append(self._take(trial))
            except OutsideError as error:
                left.append(str(error))
        return taken, left

    def _take(self, trial: Trial) -> FrozenTrial:
        frozen = trial.frozen
        if frozen.state not in (TrialState.COMPLETE, TrialState.PRUNED):
            raise OutsideError("failed" if frozen.state == TrialState.FAIL else "not finished")
        if frozen.state == TrialState.PRUNED and not frozen.intermediate_values and not trial.infeasible:
            raise OutsideError("pruned without a step")
        point = self._point("", self._values(trial))
        self._require_same_groups(trial, point.overrides)
        own = {
            "study": self._study.study_name,
            "id": self._study.user_attrs.get("id", ""),
            "trial": trial.number,
        }
        source = trial.attrs.get(TAKEN, own)
        attrs: dict[str, Any] = {TAKEN: source, "overrides": list(point.overrides)}
        attrs["reason"] = f"taken from trial {source['trial']} of {source['study']}"
        if SEARCH_SEED in trial.attrs:
            attrs[SEARCH_SEED] = trial.attrs[SEARCH_SEED]
        if dict(point.params) == self._default:
            attrs["first"] = "default"
        return optuna.create_trial(
            state=frozen.state,
            values=list(trial.values) or None,
            params=dict(point.params),
            distributions={name: self._space.by_name(name).distribution for name in point.params},
            user_attrs=attrs,
            intermediate_values=dict(trial.intermediate),
            constraints=self._excess(trial),
        )

    def _values(self, trial: Trial) -> dict[str, Any]:
        """What a trial had for each key that the search's space has."""
        found: dict[str, Any] = {}
        for name, value in trial.params.items():
            key = self._keys.get(name)
            if key is None:
                raise OutsideError(f"with {name}, of which the search knows nothing")
            if key in self._space.keys:
                found[key] = value
            elif not _same(value, self._composition.lookup(key)):
                raise OutsideError(f"with another {key} than {element(self._composition.lookup(key))}")
        for key in set(self._space.keys) - self._searched:
            known = self._choices if key in self._choices else self._theirs
            if key in known:
                found[key] = known[key]
        return found

    def _require_same_groups(self, trial: Trial, overrides: Sequence[str]) -> None:
        """Compare what an option of a group brought along, which is fixed in neither study, as far as it is known."""
        config = {**self._theirs, **flatten(trial.run.config)}
        chosen = tuple(word for word in overrides if self._composition.is_group(key_of(word)))
        for key, value in self._below(chosen):
            if key in config and not str(config[key]).startswith("${") and not _same(config[key], value):
                raise OutsideError(f"with {key}={element(config[key])}, here {element(value)}")

    def _below_groups(self, chosen: tuple[str, ...]) -> list[tuple[str, Any]]:
        """The keys below varied groups that are not searched themselves, with the options chosen."""
        return list(
            _not_searched(self._composition, chosen, self._nodes, {*self._searched, *self._space.keys})
        )

    def _excess(self, trial: Trial) -> dict[str, float]:
        """How far a trial is beyond each of the search's constraints.

        Raises
        ------
        OutsideError
            Nothing is known of a limited number of a complete trial.
        """
        record = trial.run.record
        known = dict(zip(self._options.objective, trial.values, strict=False)) | (record.get("best") or {})
        known |= {
            "epochs": len(trial.intermediate),
            "parameters": (record.get("parameters") or {}).get("total"),
        }
        known["seconds"] = trial.seconds
        known = {name: value for name, value in known.items() if value is not None}
        stored = trial.frozen.constraints
        limits = [limit for limit in self._options.limits_of_trials if limit.text not in stored]
        try:
            found = measure(limits, known, partly=trial.state == "PRUNED")
        except ValueError as error:
            raise OutsideError(f"without what {str(error).split(':')[0]} needs") from error
        asked = [limit.text for limit in self._options.limits_of_trials]
        return {text: {**stored, **found}[text] for text in asked if text in stored or text in found}


def _not_searched(
    composition: Composition, chosen: Sequence[str], nodes: set[str], searched: set[str]
) -> Iterator[tuple[str, Any]]:
    config = flatten(composition.values(chosen))
    groups = {node for node in nodes if composition.is_group(node.replace(".", "/"))}
    for key, value in config.items():
        below = any(key.startswith(f"{node}.") for node in groups)
        if below and not any(key == one or key.startswith(f"{one}.") for one in searched - groups):
            yield key, value


def _same(theirs: Any, ours: Any) -> bool:
    """Whether two values are one, a choice that is no scalar by its label or itself."""
    return _plain(theirs) == _plain(ours)


def _plain(value: Any) -> Any:
    return element(value) if isinstance(value, (list, dict)) else value
