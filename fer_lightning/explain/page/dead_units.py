"""The part on units that never activate."""

from __future__ import annotations

from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.unit_watch import dead_alert, dead_share, dead_units
from fer_lightning.plots.dead_units import plot_dead_units
from fer_lightning.runs.files import write_json


def make(subject: Subject, options: Options, section: Section) -> None:
    """Count dead units of every activation layer over the split."""
    layers = dead_units(subject.module, (images for images, _, _ in subject.batches()))
    section.says.append(f"{100 * dead_share(layers):.1f} % of all units never activate on {subject.title}.")
    alert = dead_alert(layers)
    if alert:
        section.says.append(f"{alert[:1].upper()}{alert[1:]}.")
    write_json(
        section.folder / "dead_units.json",
        [
            {"layer": layer.layer, "activation": layer.activation, "units": layer.units}
            | {"dead": layer.dead_units, "constant": layer.constant_units, "silent": layer.silent_units}
            for layer in layers
        ],
    )
    section.draw(
        plot_dead_units({"this model": layers}, title=f"Units that never activate: {subject.title}"),
        "dead_units",
        "The share of units of each layer that no image of the split activates: a network that is stuck shows it here.",
    )
    header = ["layer", "activation", "units", "dead", "constant", "never positive"]
    rows = [
        [layer.layer, layer.activation]
        + [
            f"{value:,}"
            for value in (layer.units, layer.dead_units, layer.constant_units, layer.silent_units)
        ]
        for layer in layers
    ]
    section.tabulate("Units by layer.", header, rows)
