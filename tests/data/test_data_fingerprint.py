from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_forms import small_fer, write_folder, write_zip
from fer_lightning.data.faces import FER_CLASSES
from fer_lightning.data.fingerprint import (
    content_fingerprint,
    file_fingerprint,
    folder_fingerprint,
    zip_fingerprint,
)

RAW = small_fer()


def content(order: np.ndarray | None = None, **changes: object) -> str:
    parts = {"images": RAW.images, "labels": RAW.labels, "splits": RAW.splits} | changes
    order = np.arange(35) if order is None else order
    arrays = [np.asarray(part)[order] for part in parts.values()]
    return content_fingerprint(arrays[0], arrays[1], arrays[2], FER_CLASSES)


def test_the_order_of_faces_does_not_matter_to_the_content() -> None:
    assert content(np.random.default_rng(1).permutation(35)) == content()


def test_every_pixel_label_and_split_matters_to_the_content() -> None:
    images, labels, splits = RAW.images.copy(), RAW.labels.copy(), RAW.splits.copy()
    images[17, 40, 3] ^= 1
    labels[3] = (labels[3] + 1) % 7
    splits[30] = (splits[30] + 1) % 3
    swapped = RAW.labels.copy()
    different = np.flatnonzero(swapped != swapped[0])[0]
    swapped[[0, different]] = swapped[[different, 0]]
    changed = {
        content(images=images),
        content(labels=labels),
        content(splits=splits),
        content(labels=swapped),
    }
    assert len(changed | {content()}) == 5
    assert content_fingerprint(RAW.images, RAW.labels, RAW.splits, (*FER_CLASSES[1:], "angry")) not in changed
    assert content(np.arange(34)) != content()


def test_class_numbers_do_not_matter_but_names_do() -> None:
    order = ("neutral", *FER_CLASSES[:6])
    renumbered = (RAW.labels + 1) % 7
    assert content_fingerprint(RAW.images, renumbered, RAW.splits, order) == content()
    assert content_fingerprint(RAW.images, RAW.labels, RAW.splits, order) != content()


def test_a_folder_may_move_but_not_change(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "a", RAW)
    first = folder_fingerprint(root)
    root = root.rename(tmp_path / "b")
    (root / ".hidden").write_text("x")
    assert folder_fingerprint(root) == first
    face = next((root / "train" / "happy").iterdir())
    stat = face.stat()
    os.utime(face, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    touched = folder_fingerprint(root)
    assert touched != first
    shutil.copy(face, root / "train" / "sad")
    assert folder_fingerprint(root) not in {first, touched}


def test_a_table_changes_with_its_size_time_or_content(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(bytes(range(256)) * 20_000)
    stat = path.stat()
    first = file_fingerprint(path)
    assert file_fingerprint(path) == first
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert file_fingerprint(path) != first
    for position in (0, path.stat().st_size - 1):  # the first and the last byte are always looked at
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        other = tmp_path / "other.csv"
        other.write_bytes(data)
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert file_fingerprint(other) != first
    other.write_bytes(path.read_bytes() + b"x")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file_fingerprint(other) != first


def test_a_zip_may_be_copied_but_no_member_may_change(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "a", RAW)
    path = write_zip(tmp_path / "a.zip", root)
    first = zip_fingerprint(path)
    copy = tmp_path / "copy.zip"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, (1, 1))
    assert zip_fingerprint(copy) == first
    face = next((root / "train" / "happy").iterdir())
    stat = face.stat()
    data = bytearray(face.read_bytes())
    data[-13] ^= 1  # the picture's own checksum: same size, same time
    face.write_bytes(data)
    os.utime(face, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert zip_fingerprint(write_zip(tmp_path / "b.zip", root)) != first


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("comment", [b"", b"c" * 60_000])
def test_the_central_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zip64: bool, comment: bytes
) -> None:
    if zip64:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)

    def with_contents(contents: str) -> str:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.comment = comment
            for name in ("a", "b", "c"):
                archive.writestr(zipfile.ZipInfo(name), contents)
        assert (b"PK\x06\x06" in path.read_bytes()) == zip64
        return zip_fingerprint(path)

    # Same sizes, names and times: only the checksums in the directory differ.
    assert with_contents("x") == with_contents("x")
    assert with_contents("x") != with_contents("y")
