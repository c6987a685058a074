"""A search as text: its best trials, its confirmation and what is next."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.objective import Objective
from fer_lightning.data.label import data_label
from fer_lightning.messages import counted
from fer_lightning.report.confirmation_text import confirmation_sentences
from fer_lightning.report.markdown import escaped, to_markdown
from fer_lightning.report.text import WIDTH, to_text
from fer_lightning.report.what_next import Step, steps_markdown, steps_text
from fer_lightning.stats.collapse import collapse_notes, guessing_levels
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.promoted import own_steps, promotion_of
from fer_lightning.sweeps.study.results import Trial
from fer_lightning.sweeps.study.taken import is_taken

BEST = 5


def search_text(trials: Sequence[Trial], objective: Objective, data: dict[str, Any]) -> str:
    """Return the best trials of a search, and how many were pruned or failed, as text.

    Parameters
    ----------
    trials
        Of the search itself: see `searched`.
    """
    done = [(trial, trial.value) for trial in trials if trial.can_win and trial.value is not None]
    done.sort(key=lambda pair: objective.sort_key(pair[1]))
    everything, trials = trials, [trial for trial in trials if not is_taken(trial.frozen)]
    counts = {
        state: sum(trial.state == state and not trial.infeasible for trial in trials)
        for state in ("COMPLETE", "PRUNED", "FAIL")
    }
    infeasible = [trial for trial in trials if trial.infeasible]
    label = data_label(data.get("name", ""), bool(data.get("synthetic")))
    epochs = sum(own_steps(trial.frozen) for trial in trials)
    promoted = [trial for trial in trials if promotion_of(trial.frozen)]
    lines = [
        f"Search · Data: {label}." if label else "Search",
        f"{counted(counts['COMPLETE'], 'trial')} complete, {counts['PRUNED']} pruned, {counts['FAIL']} failed"
        f"{f', {len(infeasible)} infeasible' if infeasible else ''}; "
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
        taken = f" ({trial.reason})" if is_taken(trial.frozen) else ""
        lines.append(f"{trial.number:>6}  {objective.text(value):>{width}}  {chosen}{taken}")
    if len(everything) > len(trials):
        lines.append(f"{counted(len(everything) - len(trials), 'trial')} taken over from earlier studies.")
    default = next((trial for trial in reversed(everything) if trial.attrs.get("first") == "default"), None)
    if default is not None and (default.infeasible or default.number in [trial.number for trial, _ in done]):
        said = [] if default.value is None else [objective.shown(default.value)]
        said += [str(default.reason)] if default.infeasible else []
        lines.append(f"The default setting is trial {default.number}: {', '.join(said)}.")
    if promoted:
        pairs = [f"{trial.number} from {promotion_of(trial.frozen)['trial']}" for trial in promoted]
        lines.append(f"{counted(len(promoted), 'trial')} promoted from pruned ones: {', '.join(pairs)}.")
    if infeasible:
        lines.append(_constraints_line(infeasible))
    return "\n".join(lines)


def _constraints_line(infeasible: Sequence[Trial]) -> str:
    """How many trials violate each constraint."""
    counts = Counter(text for trial in infeasible for text in trial.infeasible)
    said = ", ".join(f"{text} by {counted(count, 'trial')}" for text, count in counts.most_common())
    return f"Constraints violated: {said}; these trials never win."


def searched(trials: Sequence[Trial]) -> list[Trial]:
    """The trials of a search without those that confirm it."""
    return [trial for trial in trials if trial.stage != Stage.CONFIRM]


def search_report(text: str, confirmed: Confirmed | None, notes: Sequence[str], steps: Sequence[Step]) -> str:
    """The whole report of a search for the terminal: its trials, its confirmation, notes and what is next."""
    text += "".join(f"\nNote: {note}." for note in notes) + "\n"
    if confirmed is not None:
        sentences = [line for _, line in confirmation_sentences(confirmed)]
        wrapped = (textwrap.fill(line, WIDTH, break_on_hyphens=False) for line in sentences)
        text += "\n".join(["", *wrapped, "", to_text(confirmed.report)])
    return text + steps_text(steps)


def search_markdown(
    name: str, text: str, confirmed: Confirmed | None, notes: Sequence[str], steps: Sequence[Step]
) -> str:
    """The whole report of a search as Markdown."""
    lines = [f"# {escaped(name)}", ""]
    if confirmed is not None:
        lines += [f"- {escaped(line)}" for _, line in confirmation_sentences(confirmed)]
        lines += ["", to_markdown(confirmed.report)]
    lines += ["## Search", "", "```", text, "```", "", *(f"- {escaped(note)}" for note in notes)]
    return "\n".join(lines) + "\n" + steps_markdown(steps)


def search_notes(trials: Sequence[Trial], objective: Objective) -> list[str]:
    """Return the levels of guessing, where the objective is an accuracy, and the collapsed trials."""
    done = [(f"trial {trial.number}", trial.run.predictions) for trial in trials if trial.state == "COMPLETE"]
    known = [found for _, found in done if found is not None]
    levels = [f"guessing: {guessing_levels(known[0])}"] if known and objective.is_accuracy else []
    return [*levels, *collapse_notes(done)]
