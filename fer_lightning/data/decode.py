"""Image files of any size and colour mode, brought to grey squares."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps

from fer_lightning.data.members import Members
from fer_lightning.errors import DataError

_WIDE_MODES = {"I", "I;16", "I;16L", "I;16B", "I;16N", "F"}
_TRANSPARENT_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}


def decode_grey(data: bytes, size: int) -> np.ndarray:
    """Decode an image file to uint8 [size, size].

    Colours become their luma (ITU-R 601), transparent parts white, 16-bit greys are scaled to 8 bits, a
    camera's orientation mark is obeyed. Another size or shape is resampled to the square (bilinear,
    antialiased), so an oblong picture is squeezed and nothing of it is cut off.

    Raises
    ------
    Exception
        Whatever Pillow raises for a broken file; :func:`read_grey` makes one line of it.
    """
    with Image.open(io.BytesIO(data)) as image:
        plain = image.mode == "L" and not image.info.keys() & {"exif", "transparency"}
        if plain and image.size == (size, size):
            return np.frombuffer(image.tobytes(), np.uint8).reshape(size, size)
        grey = _grey(ImageOps.exif_transpose(image))
    if grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BILINEAR)
    return np.frombuffer(grey.tobytes(), np.uint8).reshape(size, size)


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("L")
    return image.convert("RGB").convert("L")


def _eight_bits(levels: np.ndarray) -> np.ndarray:
    """Scale greys to 0..255: integers from 0..65535; fractions from 0..1 where none is over 1."""
    if not np.issubdtype(levels.dtype, np.floating):
        return np.rint(np.clip(levels, 0, 65535) / 257.0).astype(np.uint8)
    scale = 255.0 if levels.max(initial=0.0) <= 1.0 else 1.0
    return np.rint(np.clip(np.nan_to_num(levels) * scale, 0, 255)).astype(np.uint8)


def read_grey(members: Members, names: Sequence[str], size: int, *, threads: int = 1) -> np.ndarray:
    """Read and decode image files to uint8 [len(names), size, size].

    One thread by default: on files as small as FER2013's, two spend their time on Python's lock (12,000 of them took
    1.5 s with one thread and 3 s with two). Threads help with large photographs.

    Raises
    ------
    DataError
        At the first file (in the order of `names`) that is no image or a truncated one.
    """
    images = np.empty((len(names), size, size), np.uint8)
    stop = threading.Event()

    def read_block(start: int) -> None:
        for i in range(start, min(start + 128, len(names))):
            if stop.is_set():
                return
            images[i] = _decode(members, names[i], size)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(read_block, start) for start in range(0, len(names), 128)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return images


def _decode(members: Members, name: str, size: int) -> np.ndarray:
    data = members.read(name)
    try:
        return decode_grey(data, size)
    except Exception as error:  # Pillow's decoders raise nearly every type for a broken file
        reason = (
            f"not an image ({len(data)} bytes)" if isinstance(error, Image.UnidentifiedImageError) else error
        )
        raise DataError(
            f"{members.where(name)}: cannot be decoded: {reason}; expected a whole image file"
        ) from error


def resize_grey(images: np.ndarray, size: int) -> np.ndarray:
    """Resample uint8 [N, H, W] to uint8 [N, size, size] (bilinear, antialiased)."""
    if images.shape[1:] == (size, size):
        return images
    resized = np.empty((len(images), size, size), np.uint8)
    for i, image in enumerate(images):
        resized[i] = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    return resized
