"""How fast this processor trains convolutions of several shapes: GFLOP/s of forward and backward.

    python benchmarks/convolution_speed.py [--threads 2] [--batch 128] [--repeats 6]

A multiply-add counts as two operations; forward, gradient of the weights and gradient of the input as one pass
each. Each figure is the best of the repeats; float32, channels-last.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn

# input channels, filters, kernel, stride, height and width of the input
SHAPES = (
    (1, 64, 3, 1, 48),
    (1, 64, 5, 2, 48),
    (32, 32, 3, 1, 48),
    (64, 64, 3, 1, 48),
    (64, 64, 3, 1, 24),
    (128, 128, 3, 1, 24),
    (128, 128, 3, 1, 12),
    (256, 256, 3, 1, 12),
    (256, 256, 3, 1, 6),
    (512, 512, 3, 1, 6),
    (512, 512, 3, 1, 3),
)


def seconds(layer: nn.Conv2d, size: int, batch: int, repeats: int) -> float:
    """The best time of a forward and a backward pass over a batch."""
    images = torch.randn(batch, layer.in_channels, size, size).to(memory_format=torch.channels_last)
    images.requires_grad_()
    gradient = torch.randn_like(layer(images))
    best = float("inf")
    for number in range(1 + repeats):
        begin = time.perf_counter()
        layer(images).backward(gradient)
        if number:  # the first one is not counted
            best = min(best, time.perf_counter() - begin)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, batches of {args.batch}")
    print(f"{'shape':34}{'multiply-adds':>14}{'ms':>9}{'GFLOP/s':>9}")
    for inputs, filters, kernel, stride, size in SHAPES:
        layer = nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, bias=False)
        layer = layer.to(memory_format=torch.channels_last)
        spent = seconds(layer, size, args.batch, args.repeats)
        multiply_adds = layer.weight.numel() * (-(-size // stride)) ** 2
        rate = 3 * 2 * multiply_adds * args.batch / spent / 1e9
        name = f"{inputs} to {filters}, {kernel}×{kernel}, stride {stride}, {size}×{size}"
        print(f"{name:34}{multiply_adds:>14,}{1000 * spent:>9.1f}{rate:>9.0f}")


if __name__ == "__main__":
    main()
