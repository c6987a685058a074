"""A list of picture files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.data.source import load_faces
from fer_lightning.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 10, 10, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / ("sub" if number % 2 else "") / f"{number}.png")
    return tmp_path


def name(number: int) -> str:
    return f"{'sub/' if number % 2 else ''}{number}.png"


def opened(root: Path, text: str) -> Faces:
    (root / "list.csv").write_text(text, encoding="utf-8")
    return load_faces("file_list", root / "list.csv", image_size=10, channels=3, cache_dir=root / "cache")


def numbers_of(faces: Faces) -> np.ndarray:
    return np.array([int(Path(known).stem) for known in faces.ids])


def test_paths_and_labels_alone(root: Path) -> None:
    rows = [f"{name(number)},{number % 3 * 5}" for number in reversed(range(24))]
    faces = opened(root, "path,label\n" + "\n".join(rows))
    numbers = numbers_of(faces)
    assert numbers.tolist() == list(reversed(range(24))), "in the order of the list"
    assert (faces.images == IMAGES[numbers]).all()
    assert faces.class_names == ("0", "5", "10"), "numbers in their own order"
    assert (faces.labels == numbers % 3).all()
    assert faces.group is None
    assert (faces.name, faces.ids[0]) == ("list", "sub/23.png")
    assert "the data have no splits" in faces.notes[0]


def test_splits_and_groups(root: Path) -> None:
    paths = [str(root / name(0)), *map(name, range(1, 24))]
    rows = [
        f'"{path}", {"ab"[number % 2]} ,{SPLITS[number // 8]},p{number // 4}'
        for number, path in enumerate(paths)
    ]
    faces = opened(root, "\ufeffPath,Label,Split,Group\n" + "\n".join(rows) + "\n\n")
    assert (faces.splits == np.arange(24) // 8).all()
    assert faces.group is not None
    assert faces.group.tolist() == [f"p{number // 4}" for number in range(24)]
    assert faces.ids[0] == str(root / "0.png"), "an absolute path stays one"
    dealt = opened(
        root, "path,label,group\n" + "\n".join(f"{name(i)},{'ab'[i % 2]},p{i // 4}" for i in range(24))
    )
    assert dealt.group is not None
    assert all(len(set(dealt.splits[dealt.group == each])) == 1 for each in set(dealt.group))


def test_a_changed_file_is_read_again(root: Path) -> None:
    text = "path,label\n" + "\n".join(f"{name(i)},{'ab'[i % 2]}" for i in range(24))
    before = opened(root, text)
    Image.fromarray(IMAGES[0][::-1]).save(root / "0.png")
    after = opened(root, text)
    assert (after.images[0] == IMAGES[0][::-1]).all()
    assert before.fingerprint != after.fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": no column 'path' among nothing"),
        ("file,label\n", ": no column 'path' among 'file', 'label'"),
        ("path,label,person\n", ": column 'person': expected path, label, split, group, each once"),
        ("path,label\n", ": has a header but no rows"),
        ("path,label\n0.png\n", " line 2: 1 fields; expected 2 as in the header"),
        ("path,label\n0.png,\n", " line 2: label is empty; expected a value"),
        ("path,label,group\n0.png,a,\n", " line 2: group is empty; expected a value"),
        ("path,label\n0.png,a\n\nx.png,b\n", " line 4: path 'x.png': no such file in"),
        ("path,label\n0.png,a\n0.png,b\n", " line 3: path '0.png' stands in line 2 too; expected it once"),
        ("path,label,split\n0.png,a,so\n", " line 2: split is 'so'; expected train, val, test, or nothing"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(root: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"{root}/list.csv{message}")) as error:
        opened(root, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-8", "\r")]
)
def test_tables_as_spreadsheets_write_them(root: Path, separator: str, encoding: str, end: str) -> None:
    rows = [separator.join((name(i), "ab"[i % 2])) for i in range(24)]
    (root / "table.csv").write_bytes(end.join([f"path{separator}label", *rows, ""]).encode(encoding))
    faces = load_faces("file_list", root / "table.csv", image_size=10, channels=3, cache_dir=root / "cache")
    assert (faces.images == IMAGES).all()
    assert (faces.class_names, faces.labels.tolist()) == (("a", "b"), [i % 2 for i in range(24)])


def test_paths_and_names_as_windows_writes_them(root: Path) -> None:
    (root / "sub").rename(root / "müde")
    rows = [f"{name(i)},{('müde', 'wach')[i % 2]}".replace("sub/", "müde\\") for i in range(24)]
    (root / "list.csv").write_text("path,label\n" + "\n".join(rows), encoding="cp1252")
    faces = load_faces("file_list", root / "list.csv", image_size=10, channels=3, cache_dir=root / "cache")
    assert (faces.images == IMAGES).all()
    assert faces.class_names == ("müde", "wach")
    assert (faces.ids[0], faces.ids[1]) == ("0.png", "müde\\1.png")


def test_one_file_in_two_spellings_is_named(root: Path) -> None:
    for other in ("./sub/../0.png", str(root / "0.png")):
        with pytest.raises(DataError, match=f"line 3: path '{other}' stands in line 2 too"):
            opened(root, f"path,label\n0.png,a\n{other},b\n")


def test_all_missing_files_are_named_and_can_be_skipped(root: Path) -> None:
    text = "path,label\n" + "\n".join(f"{name(i)},{'ab'[i % 2]}" for i in range(24))
    text += "\ngone.png,a\nsub/gone.png,b\n"
    expected = (
        f"list.csv: 2 of 26 files are not in {root}: line 26 'gone.png'; line 27 'sub/gone.png'; expected all"
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        opened(root, text)
    faces = load_faces(
        "file_list", root / "list.csv", image_size=10, channels=3, unreadable="skip", cache_dir=root / "cache"
    )
    assert (faces.images == IMAGES).all()
    assert [problem.split(":")[0] for problem in faces.unreadable] == ["gone.png", "sub/gone.png"]


def test_a_broken_picture_is_named(root: Path) -> None:
    (root / "0.png").write_bytes(b"x")
    text = "path,label\n" + "\n".join(f"{name(i)},{'ab'[i % 2]}" for i in range(24))
    with pytest.raises(DataError, match=re.escape(f"{root}/0.png: not an image (1 bytes); expected a whole")):
        opened(root, text)
