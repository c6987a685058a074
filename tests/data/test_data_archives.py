"""Archives of other systems are read as if they had been extracted."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fer_lightning.data.archives import archive_opener
from fer_lightning.data.source import load_faces
from fer_lightning.errors import DataError

NAMES = [f"{folder}/{number}.png" for folder in ("fröhlich", "sad") for number in range(8)]
WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda name: name,
    "windows": lambda name: name.replace("/", "\\"),
    "dot": lambda name: f"./{name}",
    "absolute": lambda name: f"/home/me/faces/{name}",
    "drive": lambda name: "C:\\faces\\" + name.replace("/", "\\"),
    "doubled": lambda name: name.replace("/", "//"),
    "above": lambda name: f"../{name}",
}


def picture(number: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (8, 8), number).save(data, "PNG")
    return data.getvalue()


def write_members(path: Path, names: list[str], *, first: str | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in [*([first] if first else []), *names]:
            info = zipfile.ZipInfo("x")
            info.filename = name  # ZipInfo(name) would tidy it up
            archive.writestr(info, b"" if name == first else picture(names.index(name)))
    return path


def assert_read(path: Path) -> None:
    faces = load_faces("image_folder", path, image_size=8, cache_dir=path.parent / "cache")
    assert faces.class_names == ("fröhlich", "sad")
    assert faces.ids.tolist() == sorted(NAMES)
    assert [image.max() for image in faces.images] == list(range(16))


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_names_are_those_of_the_extracted_files(tmp_path: Path, written: Callable[[str], str]) -> None:
    assert_read(write_members(tmp_path / "faces.ZIP", [written(name) for name in NAMES]))


def test_dropbox_puts_a_slash_first(tmp_path: Path) -> None:
    assert_read(write_members(tmp_path / "faces.zip", NAMES, first="/"))


def test_utf8_is_read_where_it_is_not_marked(tmp_path: Path) -> None:
    path = write_members(tmp_path / "faces.zip", NAMES)
    data = bytearray(path.read_bytes())
    # Clear the flag of UTF-8 (APPNOTE.TXT 4.4.4) in every local header and in the central directory.
    for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] &= ~0x08
            at = data.find(signature, at + 4)
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert "fröhlich/0.png" not in archive.namelist()
    assert_read(path)


def test_code_page_437_is_read_too(tmp_path: Path) -> None:
    path = write_members(tmp_path / "faces.zip", [name.replace("fröhlich", "frxhlich") for name in NAMES])
    path.write_bytes(path.read_bytes().replace(b"frxhlich", b"fr\x94hlich"))
    assert_read(path)


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("written", ["plain", "dot", "absolute"])
def test_tar(tmp_path: Path, compression: str, written: str) -> None:
    path = tmp_path / "faces.tar.x"
    with tarfile.open(path, f"w:{compression}") as archive:
        for number, name in reversed(list(enumerate(NAMES))):
            info = tarfile.TarInfo(WRITTEN[written](name))
            info.size = len(picture(number))
            archive.addfile(info, io.BytesIO(picture(number)))
    assert_read(path)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "faces.rar"
    path.write_bytes(b"Rar!\x1a\x07\x00more")
    with pytest.raises(
        DataError, match=r"faces\.rar: is a RAR archive; extract it and set data\.path to the folder$"
    ):
        archive_opener(path)
    path = tmp_path / "cut.tar.xz"
    path.write_bytes(lzma.compress(b"x" * 5000)[:60])
    opener = archive_opener(path)
    assert opener is not None
    with pytest.raises(
        DataError, match=r"cut\.tar\.xz: not a readable tar file \(.*is the download complete\?\)$"
    ):
        opener(path)
    path = tmp_path / "fer2013.csv.gz"
    path.write_bytes(gzip.compress(b"emotion,pixels,Usage\n" * 1000))
    opener = archive_opener(path)
    assert opener is not None
    with pytest.raises(
        DataError, match=r"csv\.gz: is compressed and holds no tar; unpack it and set data\.path to"
    ):
        opener(path)
    (tmp_path / "text").write_text("neither")
    assert archive_opener(tmp_path / "text") is None
