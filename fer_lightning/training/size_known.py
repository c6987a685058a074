"""What a run's size is before it is trained: its parameters, and the multiply-adds of one image."""

from __future__ import annotations

from collections.abc import Collection

from omegaconf import DictConfig

from fer_lightning.models.counting import count_multiply_adds, count_parameters
from fer_lightning.training.build import build_data, build_module
from fer_lightning.training.build_loss import build_loss
from fer_lightning.training.distillation import read_teachers
from fer_lightning.training.module import network_of

KNOWN_BEFORE = frozenset({"parameters", "multiply_adds"})


def known_sizes(config: DictConfig, wanted: Collection[str]) -> dict[str, float]:
    """Build the net of a run and count it; nothing is written and nothing trained.

    Parameters
    ----------
    config
        Of the run.
    wanted
        Names; those that are none of `KNOWN_BEFORE` are left out.

    Returns
    -------
    ``parameters``, as in ``run.json``, and ``multiply_adds`` of one image's forward pass, as far as they are wanted.
    """
    if not KNOWN_BEFORE & set(wanted):
        return {}
    data = build_data(config)
    net = network_of(
        build_module(config, data, {}, build_loss(config.loss, data, read_teachers(config.loss.teacher)))
    )
    found = {"parameters": float(count_parameters(net).total)} if "parameters" in wanted else {}
    if "multiply_adds" in wanted:
        found["multiply_adds"] = float(count_multiply_adds(net, data.image_size, data.channels))
    return found
