"""Writes a small data set in every form in which FER2013 is passed around."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from fer_lightning.data.faces import FER_CLASSES, RawFaces

USAGES = ("Training", "PublicTest", "PrivateTest")
FOLDERS = ("train", "test", "test")


def small_fer(seed: int = 0) -> RawFaces:
    """Five faces a class: three of train, one of val, one of test; random pixels, among them 0 and 255."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(7), 5)
    splits = np.tile([0, 0, 0, 1, 2], 7)
    order = rng.permutation(35)
    images = rng.integers(0, 256, (35, 48, 48), dtype=np.uint8)
    images[:, 0, :2] = (0, 255)
    ids = np.array([f"{USAGES[s]}_{1000 + i}" for i, s in enumerate(splits[order])])
    return RawFaces(images, labels[order], splits[order], ids, FER_CLASSES, "fer2013")


def csv_lines(raw: RawFaces) -> list[str]:
    """fer2013.csv, line by line, without line ends."""
    rows = [
        f"{label},{' '.join(map(str, image.ravel().tolist()))},{USAGES[split]}"
        for image, label, split in zip(raw.images, raw.labels, raw.splits, strict=True)
    ]
    return ["emotion,pixels,Usage", *rows]


def write_csv(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def write_folder(root: Path, raw: RawFaces) -> Path:
    """Kaggle's folder form, as PNG so that no pixel is changed."""
    for image, label, split, name in zip(raw.images, raw.labels, raw.splits, raw.ids, strict=True):
        folder = root / FOLDERS[split] / FER_CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{name}.png")
    return root


def write_zip(path: Path, root: Path, prefix: str = "") -> Path:
    """Everything below `root`, put into a zip below `prefix`."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, prefix + file.relative_to(root).as_posix())
    return path
