"""The ablation plan of a command, each of its levels composed before any trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fer_lightning.config.expectation import shown_value
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.composition import Composition, selected
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.parse_plan import parse_plan
from fer_lightning.sweeps.plan.plan import Plan
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.plan.tuning import Tuning
from fer_lightning.sweeps.space.override import key_of, override


def read_plan(options: SweepOptions, composition: Composition) -> Plan | None:
    """Return the command's plan, None for a search.

    Raises
    ------
    ConfigError
        An override sets what the plan varies; the seed's key, a level or a tuned setting cannot be composed.
    """
    if options.plan is None:
        return None
    plan = parse_plan(options.plan, options.seeds, composition.lookup, options.seed_key)
    if options.folds is not None:
        plan = replace(plan, folds=options.folds, fold_key=options.fold_key)
        if any(
            key_of(plan.fold_key) == key or factor.name == "fold"
            for factor in plan.factors
            for key in plan.keys
        ):
            raise ConfigError(
                f"ablation.factors: folds are no factor; every arm runs on each of the {plan.folds} folds"
            )
    _refuse_set_keys(plan, composition)
    try_key("seed_key", plan.seed_key, plan.seeds[0], composition)
    if plan.folds is not None:
        try_key("fold_key", plan.fold_key, 0, composition)
    for factor in plan.factors:
        for level, texts in factor.levels.items():
            composition.compose(texts, f"ablation.factors.{factor.name}, level {shown_value(level)},")
    return plan if plan.tuning is None else _settle_tuning(plan, plan.tuning, composition)


def replaced_levels(plan: Plan, composition: Composition) -> list[str]:
    """Say where the configuration replaces a value of the option that a level chooses."""
    lines = []
    for factor in plan.factors:
        for texts in factor.levels.values():
            for text in texts:
                key, _, option = text.partition("=")
                if composition.is_group(key_of(key)):
                    lines += composition.replaced(key_of(key), option.strip("'\""), texts)
    return lines


def _refuse_set_keys(plan: Plan, composition: Composition) -> None:
    for text in composition.fixed:
        key = key_of(text)
        if key in plan.keys and "=" in text and text.split("=", 1)[1]:
            raise ConfigError(
                f"{text}: {key} is varied by the plan; set its baseline under ablation.factors instead"
            )
        if key == key_of(plan.seed_key):
            raise ConfigError(f"{text}: the plan runs every arm over `seeds`; give seeds=[…] instead")
        if plan.folds is not None and key == key_of(plan.fold_key):
            raise ConfigError(
                f"{text}: the plan runs every arm on each of the {plan.folds} folds; leave it out"
            )


def try_key(name: str, key: str, value: int, composition: Composition) -> None:
    """Compose an option's key with a value; raise `ConfigError` naming the option where there is no such key."""
    what = name.removesuffix("_key")
    try:
        composition.compose([override(key, value)], f"the {what}")
    except ConfigError:
        raise ConfigError(
            f"hydra.sweeper.{name}={key}: the configuration has no such key; expected the key of the {what}, or "
            f"+{key} to add it"
        ) from None


def _settle_tuning(plan: Plan, tuning: Tuning, composition: Composition) -> Plan:
    """Look up each arm's own settings, and try whether it can be given others."""
    own: dict[str, dict[str, Any]] = {}
    for arm in plan.arms:
        config = composition.compose(arm.overrides, f"the arm {arm.name}")
        own[arm.name] = {p.name: selected(config, p.key) for p in plan.tunable(arm)}
        other = plan.tried(arm, 1, Stage.TUNING, tuning.seed).overrides
        composition.compose(other, f"ablation.tuning, arm {arm.name},")
    return replace(plan, tuning=replace(tuning, own=own))
