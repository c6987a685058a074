"""Image files of any size and colour mode, brought to squares of one size, grey or in colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps

from fer_lightning.data.members import READ_ERRORS
from fer_lightning.data.picture_arrays import Allocate, in_memory, picture_shape
from fer_lightning.signals import raise_if_stopped

_DEEP_MODES = {"I", "I;16", "I;16L", "I;16B", "I;16N", "F"}
_GREY_MODES = {"1", "L", "LA", "La"} | _DEEP_MODES
_TRANSPARENT_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}
_DEEP_COLOUR = re.compile(r"(RGB[AX]?|LA|CMYK);16[BLN]")  # of which Pillow keeps the upper 8 bits
_PLANES = 284  # the TIFF tag that says whether channels lie apart
_BITS = (1, 8, 10, 12, 14, 16, 24, 32)
_ORIENTATION = 0x0112
_OBLONG = 1.05
_LOOKED_AT = 64  # pictures, spread over all, of which it is told whether they have colour
_COLOUR = 16  # levels by which red, green and blue differ in colour; of grey JPEGs they differ by a few


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pictures that could be decoded, and why the others could not.

    Attributes
    ----------
    images
        uint8 levels 0–255: grey ``[M, size, size]`` or colour ``[M, size, size, 3]``.
    kept
        int64 ``[M]``: which of the pictures these are.
    problems
        For each other picture its number and why it cannot be read.
    notes
        What was done to pictures that a person may want to know.
    coloured
        Name of the first picture that is found to be in colour, of 64 that are looked at; empty if all are grey.
    """

    images: np.ndarray
    kept: np.ndarray
    problems: dict[int, str]
    notes: tuple[str, ...]
    coloured: str


def decode_all(
    names: Sequence[str],
    read: Callable[[int], bytes],
    size: int,
    channels: int = 1,
    allocate: Allocate = in_memory,
) -> Decoded:
    """Decode image files to squares, as :func:`decode_picture` does.

    Greys of more than 8 bits are scaled by the range that all pictures of their mode use together.

    Parameters
    ----------
    names
        Of the pictures, for notes.
    read
        Gives the bytes of a picture by its number.
    size
        Height and width to which the pictures are brought, in pixels.
    channels
        1 for grey, 3 for colour.
    allocate
        Gives room for the pictures.
    """
    images = allocate(picture_shape(len(names), size, channels))
    problems: dict[int, str] = {}
    peaks: dict[str, float] = {}
    colour_peaks: dict[int, int] = {}
    deep, oblong, coloured = [], [], []
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
                deep_colour = _DEEP_COLOUR.search(str(image.tile)) is not None
                images[number] = _square(image, size, channels, peaks)
                if number % (len(names) // _LOOKED_AT + 1) == 0 and _has_colour(image):
                    coloured.append(name)
                if deep_colour:
                    colour_peaks[number] = int(np.max(image.getextrema()[:3]))
        except Exception as error:  # Pillow's decoders raise nearly every type for a broken file
            problems[number] = _reason(error, data)
            continue
        if mode in _DEEP_MODES:
            deep.append(number)
        if max(shape) > _OBLONG * min(shape):
            oblong.append(f"{name}, {shape[0]}×{shape[1]}")
    if len(deep) > 1:  # now that the range of all is known
        for number in deep:
            images[number] = decode_picture(read(number), size, channels, peaks)
    if colour_peaks and max(colour_peaks.values()) < 64:  # 255 is white
        why = "has 16 bits a channel and uses 14 of them at most; convert it to 8 bits"
        problems |= dict.fromkeys(colour_peaks, why)
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
    return Decoded(selected(images, kept), kept, problems, tuple(notes), next(iter(coloured), ""))


def selected(images: np.ndarray, kept: np.ndarray, *, block: int = 1024) -> np.ndarray:
    """Move the pictures ``kept``, int64 ``[M]`` ascending, to the front of their own room, and return that part."""
    if len(kept) < len(images):
        for start in range(0, len(kept), block):
            images[start : start + len(kept[start : start + block])] = images[kept[start : start + block]]
    return images[: len(kept)]


def decode_picture(
    data: bytes, size: int, channels: int = 1, peaks: dict[str, float] | None = None
) -> np.ndarray:
    """Decode an image file to uint8 [size, size], or [size, size, 3] in colour.

    For one channel, colours become their luma (ITU-R 601); for three, greys are repeated. Transparent parts become
    white, a camera's orientation mark is obeyed, an animation is its first picture. Another size or shape is resampled
    to the square (bilinear, antialiased), so an oblong picture is squeezed and nothing of it is cut off. Of greys of
    more than 8 bits, white is the largest level of 8, 10, 12, 14, 16, 24 or 32 bits, whichever holds the highest level;
    of fractions up to 1 it is 1.

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
        return _square(image, size, channels, {} if peaks is None else peaks)


def _square(image: Image.Image, size: int, channels: int, peaks: dict[str, float]) -> np.ndarray:
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANES) == 2 and max(tags.get(ExifTags.Base.BitsPerSample, (8,))) > 8:
        raise ValueError("more than 8 bits a channel, and channels apart; convert it to 8 bits")
    upright = ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION) else image
    flat = _flat(upright, "L" if channels == 1 else "RGB", peaks)
    if flat.size != (size, size):
        flat = flat.resize((size, size), Image.Resampling.BILINEAR)
    return np.frombuffer(flat.tobytes(), np.uint8).reshape(picture_shape(1, size, channels)[1:])


def _flat(image: Image.Image, mode: str, peaks: dict[str, float]) -> Image.Image:
    """Return a picture of 8 bits without transparency, in mode ``L`` or ``RGB``."""
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode in _DEEP_MODES:
        levels = np.nan_to_num(np.asarray(image), posinf=0, neginf=0)
        peaks[image.mode] = peak = max(peaks.get(image.mode, 0), float(levels.max(initial=0)))
        grey = Image.fromarray(np.rint(np.clip(levels / _white(peak), 0, 1) * 255).astype(np.uint8))
        return grey.convert(mode)
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert(mode)
    return image.convert("RGB").convert(mode)


def _has_colour(image: Image.Image) -> bool:
    if image.mode in _GREY_MODES:
        return False
    small = np.asarray(_flat(image, "RGB", {}).reduce(max(1, min(image.size) // 48)))
    return bool((np.ptp(small, axis=2) > _COLOUR).any())


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


def fitted(images: np.ndarray, size: int, channels: int, allocate: Allocate = in_memory) -> np.ndarray:
    """Bring pictures to squares of one size, grey or in colour, as :func:`decode_picture` does.

    Parameters
    ----------
    images
        uint8 ``[N, H, W]`` or ``[N, H, W, 3]``; returned as they are where nothing is to be done.
    size, channels
        Of the result.
    allocate
        Gives room for the result.
    """
    shape = picture_shape(len(images), size, channels)
    if images.shape == shape:
        return images
    room = allocate(shape)
    fit_into(images, room, size, channels)
    return room


def fit_into(images: Iterable[np.ndarray], room: np.ndarray, size: int, channels: int) -> int | None:
    """Write pictures, uint8 ``[H, W]`` or ``[H, W, 3]`` each, into ``room`` as squares of its size and channels.

    Returns
    -------
    int or None
        Which is the first that is found to be in colour, of 64 that are looked at; None if they are grey.
    """
    coloured = None
    for number, pixels in enumerate(images):
        raise_if_stopped()
        image = Image.fromarray(pixels)
        room[number] = _square(image, size, channels, {})
        if coloured is None and number % (len(room) // _LOOKED_AT + 1) == 0 and _has_colour(image):
            coloured = number
    return coloured
