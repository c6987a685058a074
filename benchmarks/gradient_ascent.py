"""Gradient ascent for every filter of a layer: all in one batch on a net that ends there, against one at a time.

    python benchmarks/gradient_ascent.py [--model cnn] [--layers features.block1.conv] [--filters 64] [--steps 40]

The loop is what tutorials show: for each filter the whole network forward on one image, the filter's mean
activation from a hook, backward, parameters with gradients. Its first `--sample` filters are timed and counted up
to all. Seconds are of the processor's time of this process, which other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import torch
from model_speed import build
from torch import nn
from torch.nn.functional import leaky_relu

from fer_lightning.explain.activation_maximization import gradient_ascent
from fer_lightning.explain.ascent import LEAK
from fer_lightning.explain.layers import recorded
from fer_lightning.explain.pre_activation import filter_layers, pre_activation

IMAGE_SIZE = 48


def one_at_a_time(model: nn.Module, layer: str, filters: int, steps: int, lr: float = 8.0) -> None:
    """Climb the first ``filters`` filters in a loop, each through the whole network."""
    module = pre_activation(model, layer)
    for number in range(filters):
        image = 127.5 + 8 * torch.randn(1, 1, IMAGE_SIZE, IMAGE_SIZE)
        for _ in range(steps):
            image.requires_grad_()
            with recorded({"layer": module}) as outputs:
                model(image)
            leaky_relu(outputs["layer"][0, number], LEAK).mean().backward()
            gradient = image.grad
            with torch.no_grad():
                image = (image + lr * gradient / gradient.square().mean().sqrt().clamp_min(1e-30)).clamp(
                    0, 255
                )


def seconds(work: Callable[[], object]) -> float:
    """Return the processor's seconds that ``work`` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print a line a layer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--layers", nargs="+", default=None, metavar="LAYER")
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--sample", type=int, default=8, help="filters of the loop that are timed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build(args.model).eval()
    print(
        f"torch {torch.__version__}, {platform.machine()}, 1 thread, {args.model}, "
        f"{args.filters} filters × {args.steps} steps, {IMAGE_SIZE} pixels"
    )
    print(f"{'layer':<26}{'one batch':>12}{'loop':>12}{'times':>8}")
    for layer in args.layers or filter_layers(model, 3):
        one_at_a_time(model, layer, 1, 1)
        gradient_ascent(model, layer, IMAGE_SIZE, filters=[0], steps=1)
        batch = seconds(
            lambda name=layer: gradient_ascent(
                model, name, IMAGE_SIZE, filters=range(args.filters), steps=args.steps
            )
        )
        sample = min(args.sample, args.filters)
        loop = seconds(lambda name=layer, count=sample: one_at_a_time(model, name, count, args.steps))
        loop *= args.filters / sample
        print(f"{layer:<26}{batch:>10.2f} s{loop:>10.2f} s{loop / batch:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
