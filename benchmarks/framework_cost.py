"""What the framework costs: a training epoch through the command line beside a bare PyTorch loop and a DataLoader.

    python benchmarks/framework_cost.py [--threads 2] [--repeats 3]

For each model three ways to train one epoch on the same drawn faces, in turn, several times over:

command     python -m fer_lightning, seconds/train of its metrics.csv, the first epoch left out
bare loop   the same model and optimizer over the same cached bytes on the device, nothing else
DataLoader  the same model over PIL pictures, each transformed by itself (torch.utils.data.DataLoader)

The first two train without augmentation; the third is set beside the command with augmentation in both.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from fer_lightning.config.compose import compose_config
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.training.build import build_data, build_model

FACES = {"cnn": 768, "dnn": 12800}
BATCH = 128


def overrides(model: str, augmentation: str) -> list[str]:
    return [
        f"model={model}",
        f"augmentation={augmentation}",
        "scheduler=constant",
        f"data.drawing.n_train={FACES[model]}",
        f"data.batch_size={BATCH}",
        "logger=csv",
    ]


def command_seconds(model: str, augmentation: str, threads: int) -> float:
    """Seconds of a training epoch through the command line."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*overrides(model, augmentation), f"threads={threads}", "trainer.max_epochs=3"]
        command = [sys.executable, "-m", "fer_lightning", *words, f"hydra.run.dir={folder}"]
        subprocess.run(command, check=True, capture_output=True)
        rows = read_metrics(Path(folder) / "metrics.csv")
    return min(row["seconds/train"] for row in rows[1:])


def _step(
    net: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
) -> None:
    optimizer.zero_grad()
    F.cross_entropy(net(images), labels).backward()
    optimizer.step()


def _net(model: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    config = compose_config(overrides(model, "none"))
    net = build_model(config.model, image_size=48, num_classes=7)
    net = net.to(memory_format=torch.channels_last).train()
    return net, torch.optim.Adam(net.parameters(), lr=1e-3)


def bare_seconds(model: str) -> float:
    """Seconds of an epoch of a loop with nothing but the model, the optimizer and the cached bytes."""
    data = build_data(compose_config(overrides(model, "none")))
    chosen = data.faces.indices("train")
    images = torch.from_numpy(np.asarray(data.faces.images)[chosen]).unsqueeze(1)
    labels = torch.from_numpy(np.asarray(data.faces.labels)[chosen])
    net, optimizer = _net(model)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for part in torch.randperm(len(images)).split(BATCH):
            _step(net, optimizer, images[part].float() / 255, labels[part])
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


class Pictures(torch.utils.data.Dataset):
    """PIL pictures with augmentation, one at a time, as tutorials do it."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images = [Image.fromarray(image) for image in images]
        self.labels = labels
        self.random = np.random.default_rng()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = self.images[index]
        angle, shear = math.radians(10) * self.random.uniform(-1, 1), self.random.uniform(-0.1, 0.1)
        zoom_x, zoom_y = self.random.uniform(0.9, 1.1, 2)
        shift_x, shift_y = self.random.uniform(-4.8, 4.8, 2)
        a, b = math.cos(angle) / zoom_x, (math.sin(angle) + shear) / zoom_x
        d, e = -math.sin(angle) / zoom_y, math.cos(angle) / zoom_y
        matrix = (a, b, 24 - 24 * (a + b) + shift_x, d, e, 24 - 24 * (d + e) + shift_y)
        picture = picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        if self.random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        values = torch.from_numpy(np.array(picture, dtype=np.float32)).unsqueeze(0) / 255
        return values, int(self.labels[index])


def loader_seconds(model: str, workers: int) -> float:
    """Seconds of an epoch over a DataLoader of PIL pictures."""
    data = build_data(compose_config(overrides(model, "none")))
    chosen = data.faces.indices("train")
    pictures = Pictures(np.asarray(data.faces.images)[chosen], np.asarray(data.faces.labels)[chosen])
    loader = torch.utils.data.DataLoader(
        pictures, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    net, optimizer = _net(model)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for images, labels in loader:
            _step(net, optimizer, images, labels)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["cnn", "dnn"], choices=sorted(FACES))
    parser.add_argument("--loaders", nargs="*", default=["dnn"], help="models to train from a DataLoader too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"torch {torch.__version__}, {arguments.threads} threads, batch {BATCH}; median images/s [lowest, highest]"
    )
    for model in arguments.models:
        speeds: dict[str, list[float]] = {}
        ways: dict[str, Callable[[], float]] = {
            "bare loop": partial(bare_seconds, model),
            "command": partial(command_seconds, model, "none", arguments.threads),
        }
        if model in arguments.loaders:
            ways |= {
                "command, augmentation": partial(command_seconds, model, "keras_like", arguments.threads),
                "DataLoader, augmentation": partial(loader_seconds, model, 0),
                "… with 2 worker processes": partial(loader_seconds, model, 2),
            }
        for _ in range(arguments.repeats):
            for name, way in ways.items():
                speeds.setdefault(name, []).append(FACES[model] / way())
        _print(model, speeds)


def _print(model: str, speeds: dict[str, list[float]]) -> None:
    middle = {name: statistics.median(values) for name, values in speeds.items()}
    for name, values in speeds.items():
        print(f"{model}  {name:32}{middle[name]:10.0f}  [{min(values):.0f}, {max(values):.0f}]")
    extra = 100 * (middle["bare loop"] / middle["command"] - 1)
    print(f"{model}  the command takes {extra:+.1f} % more time than the bare loop")
    if "… with 2 worker processes" not in middle:
        return
    best = max(middle["DataLoader, augmentation"], middle["… with 2 worker processes"])
    ratio = middle["command, augmentation"] / best
    print(
        f"{model}  the command is {ratio:.2f} times as fast as the better DataLoader, both with augmentation"
    )


if __name__ == "__main__":
    main()
