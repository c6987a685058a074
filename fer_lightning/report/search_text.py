"""The best trials of a search for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.objective import Objective
from fer_lightning.data.label import data_label
from fer_lightning.messages import counted
from fer_lightning.stats.collapse import collapse_notes, guessing_levels
from fer_lightning.sweeps.study.results import Trial

BEST = 5


def search_text(trials: Sequence[Trial], objective: Objective, data: dict[str, Any]) -> str:
    """Return the best trials of a search, and how many were pruned or failed, as text."""
    done = [
        (trial, trial.value)
        for trial in trials
        if trial.state == "COMPLETE" and trial.value is not None and math.isfinite(trial.value)
    ]
    done.sort(key=lambda pair: objective.sort_key(pair[1]))
    counts = {
        state: sum(trial.state == state for trial in trials) for state in ("COMPLETE", "PRUNED", "FAIL")
    }
    label = data_label(data.get("name", ""), bool(data.get("synthetic")))
    epochs = sum(len(trial.intermediate) for trial in trials)
    lines = [
        f"Search · Data: {label}." if label else "Search",
        f"{counted(counts['COMPLETE'], 'trial')} complete, {counts['PRUNED']} pruned, {counts['FAIL']} failed; "
        f"{counted(epochs, 'epoch')}, {sum(trial.seconds or 0.0 for trial in trials):.0f} s in all.",
        "",
        f"Best by {objective.name}, {objective.direction}:",
        f"{'trial':>6}  {objective.heading:>10}  parameters",
    ]
    for trial, value in done[:BEST]:
        chosen = " ".join(
            f"{key}={setting:.4g}" if isinstance(setting, float) else f"{key}={shown_value(setting)}"
            for key, setting in trial.params.items()
        )
        width = max(10, len(objective.heading))
        lines.append(f"{trial.number:>6}  {objective.text(value):>{width}}  {chosen}")
    return "\n".join(lines)


def search_notes(trials: Sequence[Trial], objective: Objective) -> list[str]:
    """Return the levels of guessing, where the objective is an accuracy, and the collapsed trials."""
    done = [(f"trial {trial.number}", trial.run.predictions) for trial in trials if trial.state == "COMPLETE"]
    known = [found for _, found in done if found is not None]
    levels = [f"guessing: {guessing_levels(known[0])}"] if known and objective.is_accuracy else []
    return [*levels, *collapse_notes(done)]
