"""``python -m fer_lightning workspace``: the W&B workspace of a project, created online or written as JSON."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fer_lightning.commands.arguments import FileName, parse_arguments
from fer_lightning.config.typed import shown
from fer_lightning.config.values import Name
from fer_lightning.messages import first_line
from fer_lightning.runs.files import write_json
from fer_lightning.tracking.mode import Mode, choose_mode
from fer_lightning.tracking.run_metadata import safe_name

EXAMPLE = "project=fer_lightning"


@dataclass
class Keys:
    """What may be asked of the command."""

    project: Name = "fer_lightning"
    entity: Name | None = None
    output: FileName = "workspace.json"
    mode: Mode = "auto"


def main(arguments: list[str]) -> int:
    """Create or update the workspace where a server knows the key; otherwise write its specification to ``output``."""
    values, _ = parse_arguments(arguments, Keys)
    output, project, entity = Path(values["output"]), safe_name(values["project"]), values["entity"]
    from fer_lightning.tracking.wandb_workspace import build_workspace, workspace_spec

    os.environ.setdefault("WANDB_SILENT", "true")
    reason = "no server was asked for a workspace"
    if choose_mode(values["mode"]) == "online":
        try:
            print(f"workspace: {_create(project, entity)}")
            return 0
        except Exception as error:
            reason = f"Weights & Biases would not create it ({first_line(error)})"
    write_json(output, workspace_spec(build_workspace(project, entity)))
    print(f"{reason}; its specification is written to {shown(output)}")
    return 0


def _create(project: str, entity: str | None) -> str:
    """Create or update the workspace in W&B and return its address."""
    import wandb

    from fer_lightning.tracking.wandb_workspace import save_workspace

    return save_workspace(project, entity or str(wandb.Api(timeout=9).default_entity))
