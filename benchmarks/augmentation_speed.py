"""Faces a second through each augmentation, beside kornia's and torch's own affine grids with keras_like's ranges.

Run ``python benchmarks/augmentation_speed.py``. kornia is no dependency: without it, its row is left out.
Each figure is the median over rounds in which all take turns, so that load on the machine hits all alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_lightning.data.affine import inverse_matrix
from fer_lightning.data.augmentation import Augmentation

KERAS_LIKE = {
    "rotation": 10.0,
    "width_shift": 0.1,
    "height_shift": 0.1,
    "shear": 0.1,
    "zoom": 0.1,
    "flip": True,
}
UNSHIFTED = {"rotation": 10.0, "shear": 0.1, "zoom": 0.1, "flip": True}
STRONG = KERAS_LIKE | {"rotation": 20.0, "brightness": 0.15, "contrast": 0.3, "erase": 0.5}

Step = Callable[[Tensor], Tensor]


def torch_affine_grid() -> Step:
    """The keras_like augmentation with torch's ``affine_grid`` in place of our own grid of two planes."""
    augmentation = Augmentation(**KERAS_LIKE)

    def step(images: Tensor) -> Tensor:
        matrix = inverse_matrix(augmentation.draw_affine(images), images.shape[-2], images.shape[-1])
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    return step


def kornia_affine() -> Step | None:
    """keras_like with kornia's RandomAffine and RandomHorizontalFlip; None where kornia is not installed."""
    try:
        from kornia import augmentation as kornia_augmentation
    except ImportError:
        return None
    affine = kornia_augmentation.RandomAffine(
        degrees=10.0,
        translate=(0.1, 0.1),
        scale=(0.9, 1.1, 0.9, 1.1),
        shear=(-5.71, 5.71),
        padding_mode="border",
        p=1.0,
    )
    return torch.nn.Sequential(affine, kornia_augmentation.RandomHorizontalFlip(p=0.5))


def candidates() -> dict[str, Step]:
    """Every row of the table by its name."""
    found: dict[str, Step] = {
        "keras_like": Augmentation(**KERAS_LIKE),
        "keras_like, torch's affine_grid": torch_affine_grid(),
        "flip": Augmentation(flip=True),
        "keras_like_unshifted": Augmentation(**UNSHIFTED),
        "strong": Augmentation(**STRONG),
    }
    kornia = kornia_affine()
    if kornia is None:
        print("kornia is not installed: its row is left out (pip install kornia)")
    else:
        found["keras_like, kornia"] = kornia
    return found


def faces_per_second(step: Step, images: Tensor, repeats: int) -> float:
    """Throughput of ``repeats`` batches."""
    start = time.perf_counter()
    for _ in range(repeats):
        step(images)
    return repeats * len(images) / (time.perf_counter() - start)


def main() -> None:
    """Print faces a second by augmentation, batch size and memory layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--faces", type=int, default=2048, help="faces for each figure of a round")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    steps = candidates()
    layouts = {"": torch.contiguous_format, " channels-last": torch.channels_last}
    columns = [(batch, name) for batch in (128, 512) for name in layouts]
    figures: dict[tuple[str, int, str], list[float]] = {}
    for round_ in range(arguments.rounds + 1):
        for batch, layout in columns:
            images = (torch.rand(batch, 1, 48, 48) * 255).contiguous(memory_format=layouts[layout])
            for name, step in steps.items():
                speed = faces_per_second(step, images, max(1, arguments.faces // batch))
                if round_ > 0:  # the first round warms up
                    figures.setdefault((name, batch, layout), []).append(speed)
    print(
        f"faces a second, 48×48, {arguments.threads} threads, torch {torch.__version__}, "
        f"median of {arguments.rounds} rounds"
    )
    print(f"{'augmentation':26s}" + "".join(f"{f'{batch}{layout}':>20s}" for batch, layout in columns))
    for name in steps:
        speeds = [statistics.median(figures[name, *column]) for column in columns]
        print(f"{name:26s}" + "".join(f"{speed:20,.0f}" for speed in speeds))


if __name__ == "__main__":
    main()
