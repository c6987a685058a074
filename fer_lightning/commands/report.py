"""``python -m fer_lightning report STUDY_DIR``: the table, page, files and figures of a study, finished or not."""

from __future__ import annotations

from dataclasses import dataclass

from fer_lightning.api.reported import report
from fer_lightning.commands.arguments import FileName, parse_arguments, take_place
from fer_lightning.config.values import Name, OpenShare, Positive, Slices
from fer_lightning.runs.leakage import Judged
from fer_lightning.stats.label_doubts import Labels
from fer_lightning.stats.rules import MinSeeds

EXAMPLE = "studies/ablation-synthetic-5b2a5b59"


@dataclass
class Keys:
    """What may be asked of the command."""

    study_name: Name | None = None
    output: Name | None = None
    faces: Judged = "all"
    labels: Labels = "all"
    fer_plus: Name | None = None
    page: bool = True
    gallery: bool = True
    slices: Slices = True
    wandb: bool = True
    experiment: FileName | None = None
    confidence: OpenShare = 0.95
    min_seeds: MinSeeds = 3
    smallest_effect: Positive | None = None
    power: OpenShare = 0.8


def main(arguments: list[str]) -> int:
    """Print the report of the study in a folder, or of a storage, and write its files there or to ``output``.

    ``faces=no_copy`` and ``faces=no_near_copy`` judge an ablation without the validation faces of which training
    has seen a copy. ``labels=trusted`` judges it without the faces whose label its own runs doubt, and
    ``fer_plus=fer2013new.csv`` compares those with FER+. ``gallery=false`` writes a page without the validation
    faces. ``slices=12`` looks into so many groups of them for those on which networks fail, ``slices=false`` into none.
    ``wandb=false`` leaves the study's own run in Weights & Biases as it is. ``data.path=…`` says where the data are if
    they have moved. ``experiment=best.yaml`` writes the best setting, of a search the confirmed one, as an experiment
    to be run.
    """
    place, rest = take_place(arguments, Keys, "report STUDY_DIR: expected the folder of one study", ["data."])
    values, overrides = parse_arguments(rest, Keys, prefixes=["data."])
    print(report(place, data=overrides, **values).findings)
    return 0
