"""Maps a second of every saliency method, and the gradient against one forward and one backward pass.

    python benchmarks/saliency_speed.py [--model cnn] [--faces 64] [--repeats 3] [--threads 1]

Each figure is the best of the repeats, in processor seconds of this process, so that other work on the machine
counts little. "passes" is the time in units of one forward and one backward pass to the faces with all parameters
asking for gradients, as a loop of one's own would do it; frozen parameters are why the gradient can cost less.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import captum
import torch
from model_speed import build

from fer_lightning.explain.saliency_methods import METHODS, attributions
from fer_lightning.explain.trust_checks import methods_for


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the processor seconds of the fastest of ``repeats`` calls, after one that is not timed."""
    work()
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="small")
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = build(args.model).eval()
    images = 255 * torch.rand(args.faces, 1, 48, 48)
    targets = torch.randint(7, (args.faces,))

    def one_pass() -> None:
        faces = images.clone().requires_grad_()
        model(faces).gather(1, targets[:, None]).sum().backward()
        model.zero_grad(set_to_none=True)

    unit = best_seconds(one_pass, args.repeats)
    print(
        f"torch {torch.__version__}, captum {captum.__version__}, {platform.machine()}, {args.threads} threads; "
        f"{args.model}, {args.faces} faces of 48 pixels, fp32"
    )
    print(f"{'method':<24}{'maps/s':>12}{'passes':>10}")
    print(f"{'forward and backward':<24}{args.faces / unit:>12,.0f}{1:>10.2f}", flush=True)
    for name in METHODS:
        if name not in methods_for(model):
            continue

        def maps(name: str = name) -> object:
            return attributions(model, images, targets, name, batch_size=args.faces).maps

        seconds = best_seconds(maps, args.repeats)
        print(f"{name:<24}{args.faces / seconds:>12,.0f}{seconds / unit:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
