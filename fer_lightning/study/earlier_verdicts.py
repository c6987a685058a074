"""Studies that were judged by something else before: what an earlier version's report of them said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_lightning.config.objective import VAL_ACC, Objective
from fer_lightning.sweeps.study.judgement import JUDGED_BY

if TYPE_CHECKING:
    import optuna

Earlier = tuple[str, bool]


def earlier_objective(
    study: optuna.Study, objective: Objective, folder: Path, record: Mapping[str, Any]
) -> Earlier | None:
    """Return what an earlier report judged the study by, where that is not the study's objective.

    Earlier versions took metric and direction from the first run's ``run.json``, or else the validation accuracy,
    higher is better; the command ``report`` took higher for better whatever the study said. The best evidence is such a
    version's ``report.json``.

    Parameters
    ----------
    study, objective
        The study and what it is judged by.
    folder
        Of its report.
    record
        The ``run.json`` of its first run; empty where there is none.

    Returns
    -------
    The metric's name, and whether more of it was taken for better; None where nothing differs.
    """
    if JUDGED_BY in study.user_attrs:
        return None
    found = _reported(folder) or (str(record.get("metric", VAL_ACC)), record.get("mode", "max") == "max")
    return None if found == (objective.name, objective.higher_is_better) else found


def _reported(folder: Path) -> Earlier | None:
    """Return what the report in a folder was judged by, or what it says of an earlier one."""
    try:
        found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        if "objective" in found:
            return None if found["earlier"] is None else (str(found["earlier"][0]), bool(found["earlier"][1]))
        return str(found["metric"]), bool(found["rules"]["higher_is_better"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def earlier_note(earlier: Earlier, objective: Objective) -> str:
    """Return the line that says so in a report."""
    name, higher = earlier
    verb = "maximises" if objective.higher_is_better else "minimises"
    return (
        f"a report that an earlier version wrote of this study judged {name}, "
        f"{'higher' if higher else 'lower'} is better; "
        f"this study {verb} {objective.name}, and the verdicts here follow that"
    )
