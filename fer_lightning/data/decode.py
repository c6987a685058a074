"""Image files of any size and colour mode, brought to grey squares."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from fer_lightning.data.members import READ_ERRORS
from fer_lightning.signals import raise_if_stopped

_DEEP_MODES = {"I", "I;16", "I;16L", "I;16B", "I;16N", "F"}
_TRANSPARENT_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}
_BITS = (1, 8, 10, 12, 14, 16, 24, 32)
_ORIENTATION = 0x0112
_OBLONG = 1.05


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pictures that could be decoded, and why the others could not.

    Attributes
    ----------
    images
        uint8 ``[M, size, size]``, grey levels 0–255.
    kept
        int64 ``[M]``: which of the pictures these are.
    problems
        For each other picture its number and why it cannot be read.
    notes
        What was done to pictures that a person may want to know.
    """

    images: np.ndarray
    kept: np.ndarray
    problems: dict[int, str]
    notes: tuple[str, ...]


def decode_all(names: Sequence[str], read: Callable[[int], bytes], size: int) -> Decoded:
    """Decode image files to grey squares, as :func:`decode_grey` does.

    Greys of more than 8 bits are scaled by the range that all pictures of their mode use together.

    Parameters
    ----------
    names
        Of the pictures, for notes.
    read
        Gives the bytes of a picture by its number.
    size
        Height and width to which the pictures are brought, in pixels.
    """
    images = np.zeros((len(names), size, size), np.uint8)
    problems: dict[int, str] = {}
    peaks: dict[str, float] = {}
    deep, oblong = [], []
    for number, name in enumerate(names):
        raise_if_stopped()
        try:
            data = read(number)
        except READ_ERRORS as error:
            problems[number] = f"cannot be read ({getattr(error, 'strerror', None) or error})"
            continue
        try:
            with Image.open(io.BytesIO(data)) as image:
                mode, shape = image.mode, image.size
                images[number] = _square(image, size, peaks)
        except Exception as error:  # Pillow's decoders raise nearly every type for a broken file
            problems[number] = _reason(error, data)
            continue
        if mode in _DEEP_MODES:
            deep.append(number)
        if max(shape) > _OBLONG * min(shape):
            oblong.append(f"{name}, {shape[0]}×{shape[1]}")
    if len(deep) > 1:  # now that the range of all is known
        for number in deep:
            images[number] = decode_grey(read(number), size, peaks)
    kept = np.setdiff1d(np.arange(len(names)), list(problems))
    notes = []
    if oblong:
        notes.append(
            f"{len(oblong):,} of {len(names):,} pictures are oblong (the first is {oblong[0]}) and are squeezed to "
            "squares; cut them to squares first to keep their shape"
        )
    for mode, peak in peaks.items():
        if mode != "F" and _white(peak) not in (255, 65535):
            bits = _white(peak).bit_length()
            notes.append(
                f"deep pictures ({mode}) have no level above {peak:.0f}: their white is that of {bits} bits"
            )
    return Decoded(images[kept] if problems else images, kept, problems, tuple(notes))


def decode_grey(data: bytes, size: int, peaks: dict[str, float] | None = None) -> np.ndarray:
    """Decode an image file to uint8 [size, size].

    Colours become their luma (ITU-R 601), transparent parts white, a camera's orientation mark is obeyed, an animation
    is its first picture. Another size or shape is resampled to the square (bilinear, antialiased), so an oblong picture
    is squeezed and nothing of it is cut off. Of greys of more than 8 bits, white is the largest level of 8, 10, 12, 14,
    16, 24 or 32 bits, whichever holds the highest level; of fractions up to 1 it is 1.

    Parameters
    ----------
    peaks
        The highest level known of each deep mode; that of this picture is entered.

    Raises
    ------
    Exception
        Whatever Pillow raises for a broken file.
    """
    with Image.open(io.BytesIO(data)) as image:
        return _square(image, size, {} if peaks is None else peaks)


def _square(image: Image.Image, size: int, peaks: dict[str, float]) -> np.ndarray:
    grey = _grey(ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION) else image, peaks)
    if grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BILINEAR)
    return np.frombuffer(grey.tobytes(), np.uint8).reshape(size, size)


def _grey(image: Image.Image, peaks: dict[str, float]) -> Image.Image:
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode in _DEEP_MODES:
        levels = np.nan_to_num(np.asarray(image), posinf=0, neginf=0)
        peaks[image.mode] = peak = max(peaks.get(image.mode, 0), float(levels.max(initial=0)))
        return Image.fromarray(np.rint(np.clip(levels / _white(peak), 0, 1) * 255).astype(np.uint8))
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("L")
    return image.convert("RGB").convert("L")


def _white(peak: float) -> int:
    return next((2**bits - 1 for bits in _BITS if peak <= 2**bits - 1), 2**32 - 1)


def _reason(error: Exception, data: bytes) -> str:
    """Say why a picture cannot be decoded."""
    if isinstance(error, Image.UnidentifiedImageError):
        heic = data[4:8] == b"ftyp"
        return (
            f"not an image ({len(data):,} bytes)" if not heic else "a HEIC picture; convert it to JPEG or PNG"
        )
    return f"cannot be decoded ({' '.join(str(error).split()) or type(error).__name__})"


def resize_grey(images: np.ndarray, size: int) -> np.ndarray:
    """Resample uint8 [N, H, W] to uint8 [N, size, size] (bilinear, antialiased)."""
    if images.shape[1:] == (size, size):
        return images
    resized = np.empty((len(images), size, size), np.uint8)
    for i, image in enumerate(images):
        resized[i] = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    return resized
