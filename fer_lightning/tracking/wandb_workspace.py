"""The W&B workspace of a project, built in code: what matters, what each run did, what it got wrong and looked at."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import wandb_workspaces.reports.v2 as panels
import wandb_workspaces.workspaces as workspaces

from fer_lightning.config.factors import FACTORS

BEST = "best/val/acc"
CONFUSION_KEYS = ("confusion/matrix",)
SALIENCY_KEYS = ("saliency/correct", "saliency/same", "saliency/mistakes")
FILTER_KEYS = ("filters/first",)
EXPLANATION_KEYS = (
    "class_images/class_images",
    "dead_units/curves",
    "feature_maps/feature_maps",
    "lime/lime",
    "regions/regions",
)
STUDY_TABLES = ("verdicts", "faces")
NAME = "fer_lightning"
# W&B's own name of the view, part of its address: by it the view is found again.
_VIEW = "nw-ferlightning-v"


def build_workspace(project: str, entity: str | None = None) -> workspaces.Workspace:
    """Return the workspace of a project.

    Parameters
    ----------
    project, entity
        Whose runs it shows; without an entity it can be written, but not created.
    """
    return workspaces.Workspace(
        entity=entity or "",
        project=project,
        name=NAME,
        sections=[_studies(), _factors(), _learning(), _media()],
        settings=workspaces.WorkspaceSettings(x_axis="epoch", max_runs=50),
        runset_settings=workspaces.RunsetSettings(
            pinned_columns=[
                "run:displayName",
                "summary:state",
                *(f"config:{name}" for name in ("arm", "seed", *FACTORS)),
                f"summary:{BEST}",
                "summary:seconds",
            ],
        ),
    )


def _studies() -> workspaces.Section:
    """What the studies found: the tables of their own runs."""
    return workspaces.Section(
        name="What the studies found",
        is_open=True,
        panels=[
            panels.WeavePanelSummaryTable(table_name=name, layout=_place(0, 10 * row, 24, 10))
            for row, name in enumerate(STUDY_TABLES)
        ],
    )


def _factors() -> workspaces.Section:
    """Which factor matters."""
    columns = [
        panels.ParallelCoordinatesPlotColumn(panels.Config(name), display_name=name)
        for name in (*FACTORS, "lr", "seed")
    ]
    columns.append(
        panels.ParallelCoordinatesPlotColumn(panels.SummaryMetric(BEST), display_name="best val/acc")
    )
    return workspaces.Section(
        name="Which factor matters",
        is_open=True,
        panels=[
            panels.ParallelCoordinatesPlot(
                title="Factors and accuracy", columns=columns, layout=_place(0, 0, 24, 9)
            ),
            panels.ParameterImportancePlot(with_respect_to=BEST, layout=_place(0, 9, 12, 9)),
            panels.RunComparer(diff_only="split", layout=_place(12, 9, 12, 9)),
        ],
    )


def _learning() -> workspaces.Section:
    """How the runs learned."""
    plots = [
        ("val/acc", "Validation accuracy"),
        ("val/loss", "Validation loss"),
        ("train/loss", "Training loss"),
    ]
    return workspaces.Section(
        name="How they learned",
        is_open=True,
        panels=[
            panels.LinePlot(title=title, x="epoch", y=[metric], layout=_place(8 * column, 0, 8, 8))
            for column, (metric, title) in enumerate(plots)
        ],
    )


def _media() -> workspaces.Section:
    """What the runs got wrong and what they looked at; a column for each run."""
    return workspaces.Section(
        name="What they got wrong and looked at",
        is_open=True,
        panels=[
            _browser("Confusion matrices", CONFUSION_KEYS, _place(0, 0, 12, 12)),
            _browser("Saliency", SALIENCY_KEYS, _place(12, 0, 12, 12)),
            _browser("Filters of the first layer", FILTER_KEYS, _place(0, 12, 12, 12)),
            _browser("Explanations", EXPLANATION_KEYS, _place(12, 12, 12, 12)),
        ],
    )


def _browser(title: str, keys: tuple[str, ...], layout: panels.Layout) -> panels.MediaBrowser:
    return panels.MediaBrowser(
        title=title,
        media_keys=list(keys),
        mode="grid",
        grid_x_axis="run",
        grid_y_axis="step",
        num_columns=4,
        layout=layout,
    )


def _place(x: int, y: int, width: int, height: int) -> panels.Layout:
    return panels.Layout(x=x, y=y, w=width, h=height)


def save_workspace(project: str, entity: str) -> str:
    """Create the project's workspace in W&B, or update the one that an earlier call created; return its address."""
    workspace = built = build_workspace(project, entity)
    workspace._internal_name = _VIEW
    with suppress(ValueError):  # there is none yet
        workspace = workspaces.Workspace.from_url(built.url)
    for part in ("sections", "settings", "runset_settings"):
        setattr(workspace, part, getattr(built, part))
    return str(workspace.save().url)


def workspace_spec(workspace: workspaces.Workspace) -> dict[str, Any]:
    """Return what would be sent to W&B, as plain values; needs no key and no server."""
    found: dict[str, Any] = workspace._to_model().model_dump(mode="json", by_alias=True)
    return found
