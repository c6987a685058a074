from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_forms import USAGES, csv_lines, small_fer, write_csv
from fer_lightning.data.faces import FER_CLASSES, Faces, RawFaces
from fer_lightning.data.source import load_faces
from fer_lightning.errors import DataError

RAW = small_fer()
LINES = csv_lines(RAW)


def load(path: Path, **options: object) -> Faces:
    return load_faces("fer2013", path, cache_dir=path.parent / "cache", **options)  # type: ignore[arg-type]


def load_lines(folder: Path, lines: list[str], end: str = "\n") -> Faces:
    return load(write_csv(folder / "fer2013.csv", lines, end))


def message(folder: Path, lines: list[str]) -> str:
    """What a broken table is answered with, without the path."""
    with pytest.raises(DataError) as error:
        load_lines(folder, lines)
    text = str(error.value)
    assert "\n" not in text
    assert not list((folder / "cache").glob("*/")), "a broken table must leave no cache"
    return text.removeprefix(str(folder) + "/")


def edited(line: int, **fields: str) -> list[str]:
    """The table with fields of one line (the header is line 1) replaced."""
    emotion, pixels, usage = LINES[line - 1].split(",")
    new = {"emotion": emotion, "pixels": pixels, "usage": usage} | fields
    return [*LINES[: line - 1], ",".join(new.values()), *LINES[line:]]


def assert_same(faces: Faces, raw: RawFaces) -> None:
    assert (faces.images == raw.images).all()
    assert (faces.labels == raw.labels).all()
    assert (faces.splits == raw.splits).all()


def test_fer2013_csv(tmp_path: Path) -> None:
    faces = load_lines(tmp_path, LINES)
    assert_same(faces, RAW)
    assert faces.images.dtype == np.uint8
    assert faces.labels.dtype == np.int64
    assert faces.ids.tolist() == [f"line {i}" for i in range(2, 37)]
    assert faces.class_names == FER_CLASSES
    assert faces.name == "fer2013"
    assert not faces.synthetic
    for split, share in (("train", 21), ("val", 7), ("test", 7)):
        assert len(faces.indices(split)) == share


def test_icml_face_data_csv_has_another_order_and_leading_spaces(tmp_path: Path) -> None:
    fields = [line.split(",") for line in LINES[1:]]
    lines = ["emotion, Usage, pixels", *(f"{e},{u},{p}" for e, p, u in fields)]
    assert_same(load_lines(tmp_path, lines), RAW)


def test_train_csv_gets_a_seeded_validation_split_and_no_test(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "train.csv", [line.rsplit(",", 1)[0] for line in LINES])
    faces = load(path, val_fraction=0.4)
    assert (faces.images == RAW.images).all()
    assert np.bincount(faces.splits).tolist() == [21, 14]
    assert np.bincount(faces.labels[faces.splits == 1]).tolist() == [2] * 7
    again = load(path, val_fraction=0.4, split_seed=1)
    assert (faces.splits != again.splits).any()


def quoted(line: str) -> str:
    return ",".join(f'"{field}"' for field in line.split(","))


@pytest.mark.parametrize(
    "lines",
    [
        [quoted(line) for line in LINES],
        [LINES[0], *(quoted(line).replace('"', "", 2) for line in LINES[1:])],
        [line.replace(",", ", ") for line in LINES],
        [quoted(line).replace(",", ", ") for line in LINES],
        ["\ufeff" + LINES[0], *LINES[1:], "", "  "],
        [line.replace(",", ";") for line in LINES],
        [quoted(line).replace(",", "\t") for line in LINES],
        ["number,Emotion,PIXELS,usage", *(f"{i},{line}" for i, line in enumerate(LINES[1:]))],
    ],
    ids=[
        "quoted",
        "partly quoted",
        "spaced",
        "quoted, spaced",
        "byte-order mark, empty lines",
        "semicolons",
        "tabs, quoted",
        "more columns",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ways_of_writing_the_same_table(tmp_path: Path, lines: list[str], end: str) -> None:
    assert_same(load_lines(tmp_path, lines, end), RAW)


def test_a_missing_last_line_end_is_fine(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "fer2013.csv", LINES)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert_same(load(path), RAW)


def test_the_table_is_found_in_a_folder_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "download"
    write_csv(folder / "a_train.csv", [line.rsplit(",", 1)[0] for line in LINES])
    write_csv(folder / "example_submission.csv", ["emotion", "0"])
    write_csv(folder / "fer" / "faces.txt", LINES)
    assert_same(load(folder), RAW)


def test_the_table_is_read_inside_a_zip(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "x.csv", LINES)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013/README", "emotion")
        archive.write(table, "fer2013/fer2013.csv")
    assert_same(load(tmp_path / "archive.zip"), RAW)


def test_another_size_is_resampled(tmp_path: Path) -> None:
    faces = load(write_csv(tmp_path / "fer2013.csv", LINES), image_size=24)
    assert faces.images.shape == (35, 24, 24)
    assert abs(faces.images.mean() - RAW.images.mean()) < 1


def test_missing_columns(tmp_path: Path) -> None:
    assert message(tmp_path, ["emotions,pixels,Usage", *LINES[1:]]) == (
        "fer2013.csv: no column 'emotion' among 'emotions', 'pixels', 'Usage'; the nearest is 'emotions'"
    )
    assert message(tmp_path, ["pixels", "1 2 3"]) == "fer2013.csv: no column 'emotion' among 'pixels'"
    assert message(tmp_path, LINES[1:]).startswith("fer2013.csv: no column 'emotion' among '")
    assert len(message(tmp_path, LINES[1:])) < 200


def test_wrong_pixels(tmp_path: Path) -> None:
    pixels = LINES[4].split(",")[1]
    assert message(tmp_path, edited(5, pixels=pixels + " 7")) == (
        "fer2013.csv line 5: 2305 pixel values; expected 2304 (48×48)"
    )
    assert message(tmp_path, edited(20, pixels="1 2 3")) == (
        "fer2013.csv line 20: 3 pixel values; expected 2304 (48×48)"
    )
    assert message(tmp_path, edited(36, pixels="256 " + pixels.split(" ", 1)[1])) == (
        "fer2013.csv line 36: pixel 1 is '256'; expected a whole number from 0 to 255"
    )
    assert message(tmp_path, edited(2, pixels=pixels.rsplit(" ", 1)[0] + " -1")) == (
        "fer2013.csv line 2: pixel 2304 is '-1'; expected a whole number from 0 to 255"
    )
    assert message(tmp_path, edited(3, pixels=pixels.rsplit(" ", 1)[0] + " x")) == (
        "fer2013.csv line 3: pixel 2304 is 'x'; expected a whole number from 0 to 255"
    )


def test_unknown_label_and_usage(tmp_path: Path) -> None:
    assert message(tmp_path, edited(9, emotion="7")) == (
        "fer2013.csv line 9: emotion is '7'; expected one of 0, 1, 2, 3, 4, 5, 6 "
        "(angry, disgust, fear, happy, sad, surprise, neutral)"
    )
    assert message(tmp_path, edited(9, emotion="")).startswith("fer2013.csv line 9: emotion is ''; expected")
    assert message(tmp_path, edited(10, usage="Testing")) == (
        "fer2013.csv line 10: Usage is 'Testing'; expected one of Training, PublicTest, PrivateTest"
    )


def test_a_row_with_another_number_of_fields(tmp_path: Path) -> None:
    text = message(tmp_path, [*LINES[:5], LINES[5] + ",9", *LINES[6:]])
    assert text == "fer2013.csv line 6: 4 fields; expected 3 as in the header"
    cut = message(tmp_path, [*LINES[:-1], LINES[-1].split(",")[0]])
    assert cut == "fer2013.csv line 36: 1 fields; expected 3 as in the header"


def test_empty_tables(tmp_path: Path) -> None:
    assert message(tmp_path, []) == (
        "fer2013.csv: is empty: expected a table with the columns emotion, pixels and Usage"
    )
    assert message(tmp_path, LINES[:1]) == "fer2013.csv: has a header but no rows"


def test_what_the_csv_module_refuses_is_answered_too(tmp_path: Path) -> None:
    # Line ends of old Macs: all of the file is the header.
    assert message(tmp_path, ["\r".join(LINES)]).startswith(
        "fer2013.csv: its lines end in CR alone; expected LF or CR LF"
    )
    stray = message(tmp_path, [*LINES[:3], f'"0",\r1 2 3,{USAGES[0]}', *LINES[4:]])
    assert stray.startswith("fer2013.csv line 4: emotion is '\"0\"'; expected one of 0, 1, 2,")


def test_other_files_in_the_folder_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "download"
    write_csv(folder / "fer2013.csv", LINES)
    (folder / "face.jpg").write_bytes(bytes(range(256)) * 9)
    (folder / "notes").write_bytes(b'emotion,"\rpixels\rx')
    assert_same(load(folder), RAW)


def test_empty_class_and_class_missing_from_a_split(tmp_path: Path) -> None:
    without = [LINES[0], *(line for line in LINES[1:] if not line.startswith("1,"))]
    assert message(tmp_path, without) == "fer2013.csv: class 'disgust' is empty: expected at least one face"
    no_test = [line for line in LINES if not (line.startswith("3,") and line.endswith(USAGES[2]))]
    assert message(tmp_path, no_test) == (
        "fer2013.csv: class 'happy' has no face in split 'test' (it has 4 in all): "
        "expected at least one of each class in each split"
    )


def test_a_damaged_zip_names_the_table_inside(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fer2013.csv", "\n".join(LINES))
    data = bytearray(path.read_bytes())
    where = data.index(b" 1", len(data) // 2)
    data[where : where + 2] = b" 2"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"archive\.zip: fer2013\.csv: cannot be read \(Bad CRC-32"):
        load(path)
