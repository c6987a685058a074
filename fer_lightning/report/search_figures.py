"""The figures of a hyperparameter search, written beside its other results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_lightning.config.objective import Objective, study_objective
from fer_lightning.data.label import data_label
from fer_lightning.plots.search import history_data, plot_history, plot_importance
from fer_lightning.plots.search_parameters import plot_parallel, plot_slices, space_data
from fer_lightning.plots.style import save_figure
from fer_lightning.stats.importance import objective_importance
from fer_lightning.sweeps.study.constraints import violated

if TYPE_CHECKING:
    import optuna


def write_search_figures(
    study: optuna.Study,
    folder: Path | str,
    *,
    objective: Objective | None = None,
    place: int = 0,
    data_name: str = "",
    synthetic: bool = False,
    importance: dict[str, float] | None = None,
) -> dict[str, Path]:
    """Write ``history.png``, ``parallel.png``, ``slices.png`` and, where it can be told, ``importance.png``.

    Parameters
    ----------
    study : the search
    folder : made if it is missing
    objective : what is drawn; without it as the study says
    place : which of several objectives is drawn
    data_name, synthetic : named in every title
    importance : of ``objective_importance``, where it is known already

    Returns
    -------
    The paths by "history", "parallel", "slices", "importance"; the last is missing where the
    importance cannot be told, or only one parameter's: it has all of what is explained.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = data_label(data_name, synthetic)
    ending = f" · {data}" if data else ""
    trials = study.get_trials(deepcopy=False)
    objective = objective or study_objective(study, place)
    maximize = objective.higher_is_better
    # The figures' axes are in the stored unit: a share is a fraction there.
    metric = objective.name if objective.is_share else objective.heading
    title = f"Optimisation history ({objective.direction}){ending}"
    history = history_data(trials, metric, place=place, maximize=maximize, title=title)
    infeasible = any(map(violated, trials))
    refused, also = (" or infeasible", ", diamonds: infeasible") if infeasible else ("", "")
    parallel = space_data(
        trials, metric, place=place, maximize=maximize, title=f"Parameters (grey: pruned{refused}){ending}"
    )
    slices = space_data(
        trials,
        metric,
        place=place,
        maximize=maximize,
        title=f"Value by parameter (crosses: pruned{also}){ending}",
    )
    paths = {
        "history": save_figure(plot_history(history), folder / "history.png"),
        "parallel": save_figure(plot_parallel(parallel), folder / "parallel.png"),
        "slices": save_figure(plot_slices(slices), folder / "slices.png"),
    }
    shares = objective_importance(study, place) if importance is None else importance
    if len(shares) < 2:
        return paths
    figure = plot_importance(shares, title=f"Parameter importance{ending}")
    return paths | {"importance": save_figure(figure, folder / "importance.png")}
