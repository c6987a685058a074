"""Arrays as short text, which a page unpacks with the browser's own ``DecompressionStream``."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

import numpy as np


def packed(array: np.ndarray) -> str:
    """Return the bytes of an array in C order, little-endian, deflated (zlib, RFC 1950) and in base64."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 6)).decode("ascii")


def packed_lines(texts: Sequence[str]) -> str:
    """Return texts, a line each, deflated and in base64; a line's end within a text becomes a blank."""
    lines = "\n".join(" ".join(text.splitlines()) for text in texts)
    return base64.b64encode(zlib.compress(lines.encode("utf-8", "replace"), 6)).decode("ascii")
