"""The embedded data set: drawn faces with seven expressions, made on the spot and marked as synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from pydantic import Field

from fer_lightning.config.values import CountOrZero, Share, ShareBelowOne, checked
from fer_lightning.data.cache import cached
from fer_lightning.data.faces import FER_CLASSES, SPLITS, Faces, RawFaces
from fer_lightning.data.fingerprint import digest
from fer_lightning.data.picture_arrays import Allocate, in_memory, picture_shape
from fer_lightning.data.synthetic_camera import photograph
from fer_lightning.data.synthetic_drawing import render
from fer_lightning.data.synthetic_expressions import draw_expressions
from fer_lightning.data.synthetic_tint import draw_tints, tint
from fer_lightning.data.synthetic_traits import draw_people
from fer_lightning.data.wrong_labels import with_wrong_labels
from fer_lightning.messages import counted

DRAWING_VERSION = (
    1  # to be raised with every change of the pixels, so that no old cache is taken for new faces
)

# As unbalanced as FER2013, but with enough disgust (1.5 % there) to be measured in a few hundred faces.
SHARES: dict[str, float] = {
    "angry": 0.14,
    "disgust": 0.07,
    "fear": 0.14,
    "happy": 0.21,
    "sad": 0.16,
    "surprise": 0.12,
    "neutral": 0.16,
}
CHUNK = 32  # faces drawn at a time: their arrays stay in the processor's cache
MOST_FACES = 10_000_000
FaceCount = Annotated[int, Field(ge=20, le=MOST_FACES)]  # with fewer faces a class can be missing
Channels = Literal[1, 3]
ImageSize = Annotated[int, Field(ge=16, le=1024)]
Noise = Annotated[float, Field(ge=0, le=10)]


class Drawing(TypedDict, total=False):
    """What may be asked of the data set beside its image size: see `draw_data_set`."""

    n_train: FaceCount
    n_val: FaceCount
    n_test: FaceCount
    seed: CountOrZero
    ambiguous: Share
    noise: Noise
    label_noise: ShareBelowOne


@checked("data.drawing.")
def draw_faces(
    n: Annotated[int, Field(ge=1, le=MOST_FACES)],
    seed: int | Sequence[int],
    *,
    image_size: ImageSize = 48,
    channels: Channels = 1,
    ambiguous: Share = 0.1,
    noise: Noise = 1.0,
    allocate: Allocate = in_memory,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw faces with the seven expressions of FER2013.

    They differ in identity, intensity and style of the expression, pose, light, what is held before them,
    blur and noise. Class frequencies are `SHARES`, rounded, in random order. The same arguments give the same
    faces in every process. Another kind of processor may round a few pixels differently; the data fingerprint
    then differs too.

    Parameters
    ----------
    n
        Number of faces.
    seed
        One number or several, as for ``numpy.random.default_rng``.
    image_size
        Height and width in pixels.
    channels
        1 for grey; 3 for colour, with the grey levels as luma.
    ambiguous
        Share of faces that show two expressions about equally and bear the label of either.
    noise
        Factor on the noise of the picture: 0 is none, 1 has deviations of 1 to 5 % of white.
    allocate
        Gives room for the pictures.

    Returns
    -------
    tuple
        Images, uint8 [n, S, S] or [n, S, S, 3], and labels, int64 [n].
    """
    seeds = np.random.SeedSequence(seed)
    generator = np.random.Generator(np.random.PCG64(seeds))
    labels = generator.permutation(_labels_by_share(n))
    traits = draw_expressions(generator, labels, ambiguous) | draw_people(generator, n)
    traits["noise"] *= np.float32(noise)
    if channels > 1:  # by numbers of their own, so that the grey faces stay the same
        traits |= draw_tints(np.random.Generator(np.random.PCG64(seeds.spawn(1)[0])), n)
    images = allocate(picture_shape(n, image_size, channels))
    for start in range(0, n, CHUNK):
        faces = slice(start, min(start + CHUNK, n))
        chosen = {name: values[faces] for name, values in traits.items()}
        # One stream in the order of the faces, so that the size of the chunks makes no difference.
        grain = generator.standard_normal((faces.stop - start, image_size, image_size), dtype=np.float32)
        grey = photograph(render(chosen, image_size), chosen, grain)
        images[faces] = grey if channels == 1 else tint(grey, chosen)
    return images, labels


@checked("data.drawing.")
def draw_data_set(
    n_train: FaceCount = 1500,
    n_val: FaceCount = 500,
    n_test: FaceCount = 500,
    *,
    seed: CountOrZero = 0,
    image_size: ImageSize = 48,
    channels: Channels = 1,
    ambiguous: Share = 0.1,
    noise: Noise = 1.0,
    label_noise: ShareBelowOne = 0.0,
    allocate: Allocate = in_memory,
) -> RawFaces:
    """Draw the three splits, each from its own random numbers, so that none depends on another's size.

    ``label_noise`` is the share of the training and of the validation faces that get a wrong label. The pictures are
    those of the same data set without it, whose labels are the true ones; test faces keep theirs.
    """
    counts = [n_train, n_val, n_test]
    total = sum(counts)
    images = allocate(picture_shape(total, image_size, channels))
    labels = []
    for number, count in enumerate(counts):
        start = sum(counts[:number])
        _, drawn = draw_faces(
            count,
            (seed, number),
            image_size=image_size,
            channels=channels,
            ambiguous=ambiguous,
            noise=noise,
            allocate=lambda shape, start=start: images[start : start + shape[0]],  # type: ignore[misc]
        )
        labels.append(drawn)
    planted = [
        with_wrong_labels(each, label_noise, len(FER_CLASSES), (seed, n)) for n, each in enumerate(labels[:2])
    ]
    wrong = sum(int((each != true).sum()) for each, true in zip(planted, labels, strict=False))
    return RawFaces(
        images=images,
        labels=np.concatenate([*planted, labels[2]]),
        splits=np.repeat(np.arange(len(SPLITS), dtype=np.uint8), counts),
        ids=np.array([f"synthetic {number:06d}" for number in range(total)]),
        class_names=FER_CLASSES,
        name="synthetic",
        synthetic=True,
        notes=(f"label_noise={label_noise:g}: {counted(wrong, 'face')} have a wrong label",) if wrong else (),
    )


def synthetic_faces(
    n_train: FaceCount = 1500,
    n_val: FaceCount = 500,
    n_test: FaceCount = 500,
    *,
    seed: CountOrZero = 0,
    image_size: ImageSize = 48,
    channels: Channels = 1,
    ambiguous: Share = 0.1,
    noise: Noise = 1.0,
    label_noise: ShareBelowOne = 0.0,
    cache_dir: str | Path | None = None,
) -> Faces:
    """Open the drawn data set from the cache; draw it first where it is not there. See `draw_data_set`."""
    sizes = (n_train, n_val, n_test)
    style: dict[str, Any] = {
        "seed": seed,
        "image_size": image_size,
        "ambiguous": float(ambiguous),
        "noise": float(noise),
    }
    if channels > 1:
        style["channels"] = channels
    if label_noise:
        style["label_noise"] = float(label_noise)
    key = f"synthetic-{digest(DRAWING_VERSION, sizes, sorted(style.items()))}"
    return cached(key, lambda allocate: draw_data_set(*sizes, **style, allocate=allocate), cache_dir)


def _labels_by_share(n: int) -> np.ndarray:
    """Labels in ascending order, as near to `SHARES` as whole faces can be, int64 [n]."""
    exact = np.array([SHARES[name] for name in FER_CLASSES]) * n
    counts = np.floor(exact).astype(np.int64)
    fullest = np.argsort(counts - exact, kind="stable")
    counts[fullest[: n - counts.sum()]] += 1
    return np.repeat(np.arange(len(FER_CLASSES), dtype=np.int64), counts)
