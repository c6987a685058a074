"""The table of metrics: what each is called, what computes it, its unit and its direction.

Everything that orders, shows or compares metrics reads it, so a metric is added here. It imports no torch: other Hydra
programs load it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHARE = "share"
SPLITS = ("train/", "val/", "test/")


@dataclass(frozen=True)
class Metric:
    """A metric of a split.

    Attributes
    ----------
    compute
        Dotted name of a function of logits, float ``[N, C]``, and labels, int64 ``[N]``, that returns its value;
        ``None`` for a metric that only other programs measure.
    unit
        "share" for a fraction within 0..1, which is shown in per cent; any other text, or nothing.
    higher_is_better
        Its direction.
    title
        How a table for reading calls it; empty for its own name.
    headline
        Whether the progress line and the table of runs show it, and ``metrics.csv`` has it among the first columns.
    per_class
        Whether ``compute`` returns one value for each class, ``[C]``, logged as ``<name>/<class>``.
    """

    compute: str | None
    unit: str
    higher_is_better: bool
    title: str = ""
    headline: bool = True
    per_class: bool = False


_OWN = "fer_lightning.training.metrics."
METRICS: dict[str, Metric] = {
    "loss": Metric(f"{_OWN}mean_cross_entropy", "", higher_is_better=False, title="loss (nats)"),
    "acc": Metric(f"{_OWN}accuracy", SHARE, higher_is_better=True, title="accuracy"),
    "f1": Metric(f"{_OWN}macro_f1", SHARE, higher_is_better=True, title="macro-F1", headline=False),
    "ece": Metric(
        f"{_OWN}calibration_error", SHARE, higher_is_better=False, title="calibration error", headline=False
    ),
    "recall": Metric(f"{_OWN}recalls", SHARE, higher_is_better=True, headline=False, per_class=True),
    "accuracy": Metric(None, SHARE, higher_is_better=True),
    "precision": Metric(None, SHARE, higher_is_better=True),
}


def find_metric(name: str) -> Metric | None:
    """Return the metric of a name with or without its split and its class, such as ``val/recall/happy``.

    Examples
    --------
    >>> find_metric("val/loss").higher_is_better
    False
    """
    split = next((prefix for prefix in SPLITS if name.startswith(prefix)), "")
    base, _, of_class = name.removeprefix(split).partition("/")
    metric = METRICS.get(base)
    return metric if metric is not None and (metric.per_class or not of_class) else None


def measured_names(class_names: Iterable[str] = ()) -> list[str]:
    """Return the names of what every run measures in an epoch, with each class's own metrics where they are given."""
    names = ["train/loss", "train/acc", "lr"]
    for name, metric in METRICS.items():
        if metric.compute:
            names += [f"val/{name}/{each}" for each in class_names] if metric.per_class else [f"val/{name}"]
    return names


def single_values(*, headline: bool = False) -> list[str]:
    """Return the names of the metrics that are computed as one value, in the table's order; or its headlines alone."""
    return [
        name
        for name, metric in METRICS.items()
        if metric.compute and not metric.per_class and (metric.headline or not headline)
    ]


def own_values(measured: Iterable[str], prefix: str = "val/") -> list[str]:
    """Return the names of metrics with one value, of those that were measured, that the table does not have.

    Examples
    --------
    >>> own_values(["val/acc", "val/kappa", "val/recall/happy", "lr"])
    ['kappa']
    """
    known = {*single_values(), ""}
    names = {name.removeprefix(prefix) for name in measured if name.startswith(prefix)}
    return sorted(name for name in names - known if "/" not in name)


def shares_first(names: list[str]) -> list[str]:
    """Return names of metrics as a reader takes them in: shares, then the rest, each in the table's order."""
    return sorted(names, key=lambda name: METRICS[name].unit != SHARE)
