"""Learning-rate schedules over the steps of a run; the peaks are the optimizer's own rates, group by group."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LambdaLR, LRScheduler, OneCycleLR

from fer_lightning.config.values import OpenShare, Positive, Share, checked


def needs_length(schedule: Callable[..., Any]) -> bool:
    """Whether a schedule must be told over how many steps it runs."""
    given = getattr(schedule, "keywords", {})  # of the partial that a configuration makes
    return "total_steps" in inspect.signature(schedule).parameters and "total_steps" not in given


def constant(optimizer: Optimizer) -> LRScheduler:
    """Keep the learning rate as it is."""
    return ConstantLR(optimizer, factor=1.0, total_iters=0)


@checked("scheduler.")
def cosine(optimizer: Optimizer, total_steps: int, *, final_fraction: Share = 0.0) -> LRScheduler:
    """Lower the learning rate along half a cosine to ``final_fraction`` of itself (Loshchilov & Hutter 2017)."""

    def share(step: int) -> float:
        return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * step / total_steps)) / 2

    return LambdaLR(optimizer, share)


@checked("scheduler.")
def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    *,
    warmup: OpenShare = 0.3,
    initial_divisor: Positive = 25.0,
    final_divisor: Positive = 1e4,
    cycle_momentum: bool = False,
    anneal: Literal["cos", "linear"] = "cos",
) -> LRScheduler:
    """Raise the learning rate to its peak, then lower it to almost nothing (Smith 2018).

    Parameters
    ----------
    optimizer
        The learning rates of its groups are the peaks.
    total_steps
        Optimizer steps of the whole run.
    warmup
        Share of the steps in which the rate rises, in (0, 1).
    initial_divisor, final_divisor
        Peak over the first rate; first rate over the last.
    cycle_momentum
        Lower the momentum (or Adam's first beta) while the rate is high.
    anneal
        Along half a cosine or a straight line, up and down.
    """
    # PyTorch divides by the steps of the rise less one; a rise of one step starts at the peak, as a shorter one does.
    if warmup * total_steps == 1:
        warmup = math.nextafter(warmup, 0)
    return OneCycleLR(
        optimizer,
        max_lr=[float(group["lr"]) for group in optimizer.param_groups],
        total_steps=total_steps,
        pct_start=warmup,
        div_factor=initial_divisor,
        final_div_factor=final_divisor,
        cycle_momentum=cycle_momentum,
        anneal_strategy=anneal,
    )
