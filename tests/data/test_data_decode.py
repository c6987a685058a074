from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.decode import decode_all, decode_picture, fitted

RAMP = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def luma(red: int, green: int, blue: int) -> float:
    """ITU-R BT.601."""
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_grey_is_kept_to_the_bit() -> None:
    for form in ("PNG", "BMP", "TIFF", "PPM", "GIF"):
        assert (decode_picture(encoded(Image.fromarray(RAMP), form), 8) == RAMP).all(), form


def test_colour_becomes_its_luma() -> None:
    red = Image.new("RGB", (8, 8), (200, 10, 60))
    expected = luma(200, 10, 60)
    for image in (red, red.convert("RGBA"), red.quantize(4)):
        assert np.abs(decode_picture(encoded(image), 8) - expected).max() <= 1.5, image.mode
    assert np.abs(decode_picture(encoded(red.convert("YCbCr"), "JPEG", quality=100), 8) - expected).max() <= 2


def test_cmyk() -> None:
    # Cyan 20 %, magenta 40 %, yellow 60 %, no black.
    image = Image.new("CMYK", (8, 8), (51, 102, 153, 0))
    expected = luma(204, 153, 102)
    assert np.abs(decode_picture(encoded(image, "TIFF"), 8) - expected).max() <= 1
    assert np.abs(decode_picture(encoded(image, "JPEG", quality=100), 8) - expected).max() <= 3


def test_bilevel() -> None:
    image = Image.fromarray(RAMP > 100)
    assert (decode_picture(encoded(image), 8) == np.where(RAMP > 100, 255, 0)).all()


def test_transparent_is_white_and_half_transparent_half_white() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 3] = np.repeat([0, 128, 255], [2, 3, 3])[:, None]
    decoded = decode_picture(encoded(Image.fromarray(pixels)), 8)
    assert [decoded[row, 0] for row in (0, 2, 7)] == [255, 127, 0]
    grey = np.dstack([np.full((8, 8), 80, np.uint8), pixels[..., 3]])
    decoded = decode_picture(encoded(Image.fromarray(grey)), 8)
    assert [decoded[0, 0], decoded[7, 0]] == [255, 80]
    palette = Image.fromarray(RAMP).convert("P")
    decoded = decode_picture(encoded(palette, transparency=int(palette.getpixel((3, 0)))), 8)
    assert decoded[0, 3] == 255
    assert decoded[0, 4] == RAMP[0, 4]
    assert decode_picture(encoded(Image.fromarray(RAMP), transparency=int(RAMP[1, 1])), 8)[1, 1] == 255


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    wide = RAMP.astype(np.uint16) * 257
    for form in ("PNG", "TIFF"):
        assert (decode_picture(encoded(Image.fromarray(wide), form), 8) == RAMP).all(), form
    assert (decode_picture(encoded(Image.fromarray(wide.astype(np.int32)), "TIFF"), 8) == RAMP).all()


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_deep_greys_are_scaled_by_the_range_they_use(bits: int, kind: type) -> None:
    white = 2**bits - 1
    levels = np.rint(RAMP.astype(float) / RAMP.max() * white)
    decoded = decode_picture(encoded(Image.fromarray(levels.astype(kind)), "TIFF"), 8)
    assert np.abs(decoded - levels / white * 255).max() <= 0.5
    if kind == np.uint16:
        assert (decode_picture(encoded(Image.fromarray(levels.astype(kind))), 8) == decoded).all()


def test_all_deep_pictures_are_scaled_alike() -> None:
    files = [encoded(Image.fromarray(RAMP.astype(np.uint16) * factor)) for factor in (4, 16, 1)]
    decoded = decode_all(["a", "b", "c"], files.__getitem__, 8)
    for image, factor in zip(decoded.images, (4, 16, 1), strict=True):
        assert np.abs(image - RAMP.astype(float) * factor / 4095 * 255).max() <= 0.5
    assert decoded.notes == ("deep pictures (I;16) have no level above 4032: their white is that of 12 bits",)
    full = [encoded(Image.fromarray(RAMP.astype(np.uint16) * 257))]
    assert decode_all(["a"], full.__getitem__, 8).notes == ()


def test_what_is_no_number_in_a_deep_picture_is_black() -> None:
    levels = RAMP.astype(np.float32) / 255
    levels[0, :3] = (np.nan, np.inf, -np.inf)
    levels[1, 0] = -5
    decoded = decode_picture(encoded(Image.fromarray(levels), "TIFF"), 8)
    assert (decoded[0, :3] == 0).all()
    assert decoded[1, 0] == 0
    assert (decoded[2:] == RAMP[2:]).all()


def test_oblong_pictures_are_counted() -> None:
    files = [encoded(Image.new("L", size, 9)) for size in ((8, 8), (64, 40), (100, 98), (10, 30))]
    assert decode_all(["a", "b", "c", "d"], files.__getitem__, 8).notes == (
        "2 of 4 pictures are oblong (the first is b, 64×40) and are squeezed to squares; cut them to squares first to "
        "keep their shape",
    )


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_fractions(scale: float) -> None:
    image = Image.fromarray(RAMP.astype(np.float32) * np.float32(scale))
    assert (decode_picture(encoded(image, "TIFF"), 8) == RAMP).all()


def test_the_cameras_orientation_is_obeyed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    data = encoded(Image.fromarray(RAMP), exif=exif.tobytes())
    assert (decode_picture(data, 8) == RAMP[::-1, ::-1]).all()
    for form in ("PNG", "TIFF", "JPEG", "WEBP"):
        data = encoded(Image.fromarray(RAMP).convert("RGB").resize((80, 40), 0), form, exif=exif, quality=100)
        upright = Image.fromarray(RAMP).resize((80, 40), 0).rotate(180)
        assert np.abs(decode_picture(data, 8).astype(int) - decode_picture(encoded(upright), 8)).max() < 20, (
            form
        )
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert (decode_picture(encoded(deep, exif=exif.tobytes()), 8) == RAMP[::-1, ::-1]).all()


def test_other_sizes_are_squeezed_into_the_square() -> None:
    wide = np.zeros((8, 32), np.uint8)
    wide[:, 16:] = 200
    decoded = decode_picture(encoded(Image.fromarray(wide)), 8)
    assert (decoded[:, :3] == 0).all()
    assert (decoded[:, 5:] == 200).all()
    assert (decode_picture(encoded(Image.new("L", (1, 1), 77)), 8) == 77).all()


def test_the_first_picture_of_an_animation() -> None:
    frames = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode_picture(data, 8) == RAMP).all()


def test_resizing_averages_when_it_shrinks() -> None:
    checker = np.indices((48, 48)).sum(axis=0) % 2 * np.uint8(200)
    small = fitted(checker[None].astype(np.uint8), 12, 1)
    assert small.shape == (1, 12, 12)
    assert np.abs(small.astype(float) - 100).max() <= 10
    images = np.stack([RAMP, RAMP.T])
    assert fitted(images, 8, 1) is images


def deep_png(levels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads and does not write."""
    height, width, _ = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
        for kind, held in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_colours_of_16_bits_are_read_by_their_upper_8_unless_these_are_nearly_empty() -> None:
    colours = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2)
    whole, part = deep_png(colours.astype(np.uint16) * 257), deep_png(colours.astype(np.uint16) * 16)
    for files in ([whole], [whole, part]):  # beside others, dark is dark
        found = decode_all(["a", "b"][: len(files)], files.__getitem__, 8, 3)
        assert not found.problems
        assert (found.images[0] == colours).all()
    found = decode_all(["a"], [part].__getitem__, 8, 3)
    assert found.problems == {0: "has 16 bits a channel and uses 14 of them at most; convert it to 8 bits"}
    scaled = (
        b"P6 8 8 4095\n" + (colours.astype(np.uint16) * 16).astype(">u2").tobytes()
    )  # PPM says what white is
    assert np.abs(decode_picture(scaled, 8, 3) - colours.astype(float)).max() <= 1


def test_deep_channels_that_lie_apart_are_refused() -> None:
    data = encoded(Image.new("RGB", (8, 8), (200, 10, 60)), "TIFF")
    for old, new in (((8, 8, 8), (16, 16, 16)), ((284, 3, 1, 0, 1, 0), (284, 3, 1, 0, 2, 0))):
        old_bytes, new_bytes = (struct.pack(f"<{len(each)}H", *each) for each in (old, new))
        assert data.count(old_bytes) == 1
        data = data.replace(old_bytes, new_bytes)
    (why,) = decode_all(["a"], [data].__getitem__, 8, 3).problems.values()
    assert why == "cannot be decoded (more than 8 bits a channel, and channels apart; convert it to 8 bits)"
