"""Training speed of every model: images a second of a full step, by memory layout and precision.

    python benchmarks/model_speed.py [--models cnn dnn] [--threads 2] [--steps 5] [--batch 128] [--seconds 20]

A step is forward, cross-entropy, backward and Adam on random images that are already in memory. Each figure
is the best of the timed steps (what the machine can do; other work on it only takes away), after two that
are not timed. The VGGs get half the batch. The last column is channels-last too, under ``bf16-mixed``.
"""

from __future__ import annotations

import argparse
import importlib
import time
from importlib import resources

import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.functional import cross_entropy

from fer_lightning.models import count_multiply_adds, count_parameters, packaged_models
from fer_lightning.runs.provenance import machine

IMAGE_SIZE = 48
CLASSES = 7
WARM_UP = 2


def build(name: str) -> nn.Module:
    """Build the packaged model `name` with its own options."""
    text = resources.files("fer_lightning.conf").joinpath("model", f"{name}.yaml").read_text(encoding="utf-8")
    options = dict(OmegaConf.to_container(OmegaConf.create(text)))
    module, _, target = options.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), target)(**options)


def images_per_second(
    model: nn.Module, batch: int, steps: int, seconds: float, *, channels_last: bool, bfloat16: bool
) -> float:
    """Train `model` for `steps` timed steps, or for `seconds`, and return the best step's speed."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.train().to(memory_format=layout)
    images = torch.randn(batch, 1, IMAGE_SIZE, IMAGE_SIZE).to(memory_format=layout)
    labels = torch.randint(CLASSES, (batch,))
    optimizer = torch.optim.Adam(model.parameters())
    best, start = float("inf"), time.perf_counter()
    for step in range(WARM_UP + steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(images)
        cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        if step >= WARM_UP:
            best = min(best, time.perf_counter() - begin)
            if time.perf_counter() - start > seconds:
                break
    return batch / best


def main() -> None:
    """Print one line a model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=packaged_models(), metavar="MODEL")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20.0, help="stop a figure's timed steps after this")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {machine()['processor']}, {args.threads} threads, {IMAGE_SIZE} pixels")
    columns = ("parameters", "multiply-adds", "batch", "images/s", "channels-last", "bf16-mixed")
    print(f"{'model':<12}" + "".join(f"{column:>15}" for column in columns))
    for name in args.models:
        model = build(name)
        batch = args.batch // 2 if name.startswith("vgg") else args.batch
        speeds = [
            images_per_second(model, batch, args.steps, args.seconds, channels_last=layout, bfloat16=half)
            for layout, half in ((False, False), (True, False), (True, True))
        ]
        total, cost = count_parameters(model).total, count_multiply_adds(model, IMAGE_SIZE)
        figures = (f"{figure:,.0f}" for figure in (total, cost, batch, *speeds))
        print(f"{name:<12}" + "".join(f"{figure:>15}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
