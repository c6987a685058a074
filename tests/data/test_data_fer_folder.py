from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_forms import csv_lines, small_fer, write_csv, write_folder, write_zip
from fer_lightning.data.faces import FER_CLASSES, Faces
from fer_lightning.data.source import load_faces
from fer_lightning.errors import ConfigError, DataError

RAW = small_fer()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "fer", RAW)


def load(path: Path, **options: object) -> Faces:
    return load_faces("fer2013", path, cache_dir=path.parent / "cache", **options)  # type: ignore[arg-type]


def message(path: Path) -> str:
    with pytest.raises(DataError) as error:
        load(path)
    text = str(error.value)
    assert "\n" not in text
    return text.removeprefix(str(path.parent) + "/")


def assert_same_by_id(faces: Faces) -> None:
    order = np.argsort(faces.ids)
    expected = np.argsort(RAW.ids)
    assert (faces.ids[order] == RAW.ids[expected]).all()
    assert (faces.images[order] == RAW.images[expected]).all()
    assert (faces.labels[order] == RAW.labels[expected]).all()
    assert (faces.splits[order] == RAW.splits[expected]).all()


def test_kaggles_folders(folder: Path) -> None:
    faces = load(folder)
    assert_same_by_id(faces)
    assert faces.class_names == FER_CLASSES
    assert faces.name == "fer2013"


@pytest.mark.parametrize("prefix", ["", "archive/", "a/b/"])
def test_the_same_inside_a_zip(folder: Path, prefix: str) -> None:
    faces = load(write_zip(folder.parent / "fer.zip", folder, prefix))
    assert_same_by_id(faces)
    assert (faces.ids == load(folder).ids).all()


def test_the_same_without_ending_in_another_folder(folder: Path) -> None:
    outer = folder.parent / "outer"
    outer.mkdir()
    folder.rename(outer / "fer")
    (outer / "fer" / ".DS_Store").write_text("x")
    (outer / "fer" / "train" / "happy" / "Thumbs.db").write_text("x")
    assert_same_by_id(load(outer))


def test_the_fingerprint_is_the_same_for_every_form(folder: Path) -> None:
    table = write_csv(folder.parent / "t.csv", csv_lines(RAW))
    zipped = write_zip(folder.parent / "fer.zip", folder)
    assert len({load(path).fingerprint for path in (folder, zipped, table)}) == 1


def test_a_wrong_class_folder(folder: Path) -> None:
    (folder / "test" / "happy").rename(folder / "test" / "jealous")
    assert message(folder) == (
        "fer/test/jealous: unknown class 'jealous'; expected angry, disgust, fear, happy, sad, surprise, neutral; "
        "data=image_folder reads any classes"
    )


def test_an_empty_class(folder: Path) -> None:
    for file in (folder / "train" / "sad").iterdir():
        file.unlink()
    assert message(folder) == "fer/train/sad: class 'sad' is empty; expected at least one image"
    # Zips have no entry for what is not there.
    zipped = folder.parent / "fer.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, file.relative_to(folder))
    assert message(zipped) == (
        "fer.zip: class 'sad' has no face in split 'train' (it has 2 in all): "
        "expected at least one of each class in each split"
    )


def test_a_class_missing_from_a_split(folder: Path) -> None:
    next((folder / "test" / "fear").glob("Public*")).unlink()
    assert message(folder) == (
        "fer: class 'fear' has no face in split 'val' (it has 4 in all): "
        "expected at least one of each class in each split"
    )


def test_a_test_file_without_the_split_in_its_name(folder: Path) -> None:
    file = next((folder / "test" / "fear").glob("Public*"))
    file.rename(file.with_name("im7.png"))
    assert message(folder) == (
        "fer/test/fear/im7.png: expected a name that begins with PublicTest_ or PrivateTest_, by which "
        "FER2013's test files are split; for faces of your own use data=image_folder"
    )


def test_a_validation_folder(folder: Path) -> None:
    (folder / "valid").mkdir()
    assert "valid: is empty" in load(folder).notes
    for name in FER_CLASSES:
        (folder / "valid" / name).mkdir()
        face = min((folder / "train" / name).iterdir())
        face.rename(folder / "valid" / name / face.name)
    assert np.bincount(load(folder).splits).tolist() == [14, 14, 7]


@pytest.mark.parametrize("zipped", [False, True])
def test_broken_files_are_named(folder: Path, zipped: bool) -> None:
    face = folder / "train" / "happy" / "Training_0.jpg"
    place = "fer.zip: train/happy/Training_0.jpg" if zipped else "fer/train/happy/Training_0.jpg"

    def said() -> str:
        return message(write_zip(folder.parent / "fer.zip", folder) if zipped else folder)

    Image.fromarray(RAW.images[0]).save(face)
    whole = face.read_bytes()
    face.write_bytes(whole[: len(whole) * 3 // 4])
    assert said().startswith(f"{place}: cannot be decoded (image file is truncated")
    face.write_bytes(b"hello")
    assert (
        said()
        == f"{place}: not an image (5 bytes); expected a whole image file, or data.unreadable=skip to leave it out"
    )
    face.write_bytes(b"")
    assert (
        said()
        == f"{place}: not an image (0 bytes); expected a whole image file, or data.unreadable=skip to leave it out"
    )


def test_a_broken_link(folder: Path) -> None:
    (folder / "train" / "happy" / "x.png").symlink_to("nowhere.png")
    assert message(folder) == (
        "fer/train/happy/x.png: cannot be read (No such file or directory); expected a whole image file, or "
        "data.unreadable=skip to leave it out"
    )


def test_missing_paths(tmp_path: Path) -> None:
    for nothing in (None, ""):
        with pytest.raises(DataError, match=r"^data=fer2013 needs data\.path=…: "):
            load_faces("fer2013", nothing)
    with pytest.raises(DataError, match=rf"^data\.path={tmp_path}/none: no such file or folder$"):
        load_faces("fer2013", tmp_path / "none")
    with pytest.raises(
        ConfigError, match=r"^data\.name=cifar: expected one of fer2013, image_folder, arrays, file_list$"
    ):
        load_faces("cifar", tmp_path)
    with pytest.raises(ConfigError, match=r"^data\.image_size=0: expected"):
        load_faces("fer2013", tmp_path, image_size=0)


def test_unknown_forms_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    forms = (
        "expected fer2013.csv, icml_face_data.csv or train.csv, a folder with train/<class>/ and "
        "test/<class>/, or a zip or tar with one of these"
    )
    picture = tmp_path / "face.png"
    Image.fromarray(RAW.images[0]).save(picture)
    assert message(picture) == f"face.png: not a form of FER2013 that is understood; {forms}"
    folder = tmp_path / "folder"
    folder.mkdir()
    assert message(folder) == f"folder: not a form of FER2013 that is understood; found nothing; {forms}"
    picture.rename(folder / "face.png")
    assert message(folder) == f"folder: not a form of FER2013 that is understood; found face.png; {forms}"


def test_unreadable_zips(folder: Path) -> None:
    path = write_zip(folder.parent / "fer.zip", folder)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert message(path) == (
        "fer.zip: not a readable zip file (no central directory; is the download complete?)"
    )
    # The directory is found, but what it says is nonsense.
    broken = bytearray(data)
    directory = broken.index(b"PK\x01\x02")
    broken[directory : directory + 4] = b"XXXX"
    path.write_bytes(broken)
    assert message(path).startswith("fer.zip: not a readable zip file (Bad magic number")


def test_a_member_with_a_wrong_checksum(folder: Path) -> None:
    path = write_zip(folder.parent / "fer.zip", folder)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 1
    path.write_bytes(data)
    assert "cannot be read (Bad CRC-32 for file 'test/angry/" in message(path)


def test_an_encrypted_zip(folder: Path) -> None:
    path = write_zip(folder.parent / "fer.zip", folder)
    data = bytearray(path.read_bytes())
    # The first bit of a member's flags (APPNOTE.TXT 4.4.4), in the central directory's last entry.
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert message(path).startswith("fer.zip: train/surprise/Training_")
    assert message(path).endswith(".png: is encrypted; expected a zip without password")
