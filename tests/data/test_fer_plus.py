"""Labels of FER+, against the paper's program written out again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_forms import USAGES, csv_lines, small_fer, write_csv, write_folder
from fer_lightning.config.compose import compose_config
from fer_lightning.data.faces import Faces
from fer_lightning.data.fer_plus import FER_PLUS_CLASSES, LabelMode, target_of
from fer_lightning.data.source import load_faces
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.training.build import build_data
from fer_lightning.training.build_loss import build_loss
from fer_lightning.training.loss import MultiTargetLoss, TrainingLoss

RAW = small_fer()
HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def original(votes: list[int], mode: str) -> list[float] | None:
    """`_process_data` of src/ferplus.py, and what its reader does with the result."""
    raw = [0.0 if vote < 1.5 else float(vote) for vote in votes]
    total, size = sum(raw), len(raw)
    unknown = [0.0] * size
    unknown[-2] = 1.0
    emotion = [0.0] * size
    if mode == "majority":
        top = max(raw)
        if top > 0.5 * total:
            emotion[int(np.argmax(raw))] = top
        else:
            emotion = unknown
    elif mode == "probability":
        part, count, valid = 0.0, 0, True
        while part < 0.75 * total and count < 3 and valid:
            top = max(raw)
            for i in range(size):
                if raw[i] == top:
                    emotion[i], raw[i] = top, 0.0
                    part += emotion[i]
                    count += 1
                    if i >= 8:
                        valid = False
                        if sum(emotion) > top:
                            emotion[i] = 0.0
                            count -= 1
                        break
        if sum(emotion) <= 0.5 * total or count > 3:
            emotion = unknown
    else:
        for i in range(size):
            if raw[i] >= 0.3 * total:
                emotion[i] = raw[i]
        if sum(emotion) <= 0.5 * total:
            emotion = unknown
    if np.argmax(emotion) >= 8:
        return None
    return [value / sum(emotion[:8]) for value in emotion[:8]]


@settings(max_examples=600, deadline=None)
@given(
    votes=st.lists(st.integers(0, 9), min_size=10, max_size=10).map(
        lambda drawn: np.bincount(drawn, minlength=10)
    ),
    mode=st.sampled_from(["majority", "probability", "multi_target"]),
)
def test_votes_become_labels_as_in_the_papers_program(votes: np.ndarray, mode: LabelMode) -> None:
    found, expected = target_of(votes, mode), original(votes.tolist(), mode)
    assert (found is None) == (expected is None)
    assert found is None or found == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["majority", "probability", "multi_target"])
def test_votes_that_are_spread_or_tied(mode: LabelMode) -> None:
    """What random votes seldom are."""
    for votes in (
        [2, 2, 2, 2, 0, 0, 0, 0, 2, 0],
        [4, 0, 0, 0, 0, 0, 0, 0, 4, 2],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 3, 3, 0, 0, 0, 0, 0, 0, 0],
        [3, 3, 2, 2, 0, 0, 0, 0, 0, 0],
        [5, 0, 0, 0, 0, 0, 0, 0, 3, 2],
        [6, 0, 0, 0, 0, 0, 0, 0, 4, 0],
    ):
        found, expected = target_of(np.array(votes), mode), original(list(votes), mode)
        assert (found is None) == (expected is None), votes
        assert found is None or found == pytest.approx(expected), votes


SPLITS = np.repeat([0, 1, 2], [24, 16, 16])
FACES = replace(
    RAW,
    images=np.random.default_rng(1).integers(0, 256, (56, 48, 48), dtype=np.uint8),
    labels=np.arange(56) % 7,
    splits=SPLITS,
    ids=np.array([f"{USAGES[split]}_{number}" for number, split in enumerate(SPLITS)]),
)


def votes_of(faces: int = 56) -> np.ndarray:
    """All ten votes for the classes in turn; mixed ones for a face of each split, and undecided ones for another."""
    votes = np.zeros((faces, 10), int)
    votes[np.arange(faces), np.arange(faces) % 8] = 10
    for first in (8, 32, 48):
        votes[first], votes[first + 1] = [6, 4] + [0] * 8, [0] * 8 + [10, 0]
    return votes


def write_votes(path: Path, votes: np.ndarray, usages: np.ndarray = SPLITS) -> Path:
    rows = [
        f"{USAGES[split]},fer{number:07d}.png,{','.join(map(str, vote))}"
        for number, (split, vote) in enumerate(zip(usages, votes.tolist(), strict=True))
    ]
    return write_csv(path, [HEADER, *rows])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "fer2013.csv", csv_lines(FACES))


def opened(table: Path, votes: Path, **options: Any) -> Faces:
    return load_faces("fer2013", table, cache_dir=table.parent / "cache", labels=votes, **options)


def test_undecided_faces_are_left_out_and_the_others_keep_their_pictures(tmp_path: Path, table: Path) -> None:
    faces = opened(table, write_votes(tmp_path / "votes.csv", votes_of()))
    kept = np.setdiff1d(np.arange(56), [9, 33, 49])
    assert faces.class_names == FER_PLUS_CLASSES
    assert (faces.images == FACES.images[kept]).all()
    assert (faces.labels == kept % 8).all()
    assert (faces.splits == SPLITS[kept]).all()
    assert faces.targets is None
    assert "labels of FER+ (majority); 3 of 56 faces that it leaves undecided are left out" in faces.notes
    own = load_faces("fer2013", table, cache_dir=tmp_path / "cache")
    assert (len(own), len(own.class_names)) == (56, 7)


def test_training_faces_have_shares_and_others_the_majoritys_class(tmp_path: Path, table: Path) -> None:
    faces = opened(table, write_votes(tmp_path / "votes.csv", votes_of()), label_mode="probability")
    assert faces.targets is not None
    assert faces.targets[8].tolist() == pytest.approx([0.6, 0.4, 0, 0, 0, 0, 0, 0])
    assert faces.targets[faces.splits > 0].max(axis=1).tolist() == [1.0] * 30
    alike = opened(table, tmp_path / "votes.csv", label_mode="multi_target")
    assert alike.targets is not None
    assert alike.targets[8].tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert (alike.labels == faces.labels).all()
    assert len({faces.fingerprint, alike.fingerprint}) == 2


def test_files_are_told_by_the_names_that_fer_plus_gives_them(tmp_path: Path) -> None:
    renamed = replace(FACES, ids=np.array([f"fer{number:07d}" for number in range(56)]))
    place = write_folder(tmp_path / "named", renamed)
    faces = opened(place, write_votes(tmp_path / "votes.csv", votes_of()))
    numbers = np.array([int(Path(name).stem[3:]) for name in faces.ids])
    assert sorted(numbers.tolist()) == np.setdiff1d(np.arange(56), [9, 33, 49]).tolist()
    assert (faces.labels == numbers % 8).all()
    assert (faces.splits == SPLITS[numbers]).all()
    assert (faces.images == FACES.images[numbers]).all()


def test_kaggles_folders_are_refused(tmp_path: Path) -> None:
    place = write_folder(tmp_path / "kaggle", FACES)
    with pytest.raises(DataError) as error:
        opened(place, write_votes(tmp_path / "votes.csv", votes_of()))
    assert str(error.value) == (
        f"data.labels={tmp_path}/votes.csv: FER+ follows the rows of fer2013.csv, which file names do not tell "
        f"(the first is PrivateTest_42); expected data.path=…/fer2013.csv, or files called fer0000000.png and so on"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "no column 'Usage'; expected FER+'s fer2013new.csv"),
        (f"{HEADER}\nTest,x,{'1,' * 9}1\n", "line 2: Usage is 'Test'; expected one of Training, PublicTest"),
        (f"{HEADER}\nTraining,x,{'1,' * 9}-1\n", "line 2: NF is '-1'; expected a number of votes"),
        (f"{HEADER}\nTraining,x,1\n", "line 2: happiness is ''; expected a number of votes"),
        (f"{HEADER}\nTraining,x,{'1,' * 9}1\n", "has 1 rows; expected one for each of 56 faces"),
    ],
)
def test_other_votes_are_refused(tmp_path: Path, table: Path, text: str, message: str) -> None:
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(DataError, match=re.escape(message)):
        opened(table, tmp_path / "votes.csv")


def test_votes_in_another_order_are_refused(tmp_path: Path, table: Path) -> None:
    usages = SPLITS.copy()
    usages[[5, 30]] = usages[[30, 5]]
    write_votes(tmp_path / "votes.csv", votes_of(), usages)
    with pytest.raises(
        DataError, match=r"Usage of row 6 is PublicTest, of the face \(line 7\) Training; expected the rows"
    ):
        opened(table, tmp_path / "votes.csv")
    with pytest.raises(ConfigError, match=r"data\.label_mode=probability: needs the votes"):
        load_faces("fer2013", table, label_mode="probability")
    with pytest.raises(DataError, match=r"none\.csv: cannot be read \(No such file or directory\)"):
        opened(table, tmp_path / "none.csv")


def test_the_multi_target_loss_is_that_of_the_likeliest_class_meant() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    shares = logits.detach().softmax(1)
    expected = -(shares[0, 1].log() + shares[1, 0].log()) / 2
    loss = MultiTargetLoss()(logits, targets)
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(("mode", "kind"), [("probability", TrainingLoss), ("multi_target", MultiTargetLoss)])
def test_soft_labels_reach_the_loss(tmp_path: Path, table: Path, mode: LabelMode, kind: type) -> None:
    votes = write_votes(tmp_path / "votes.csv", votes_of())
    place = [f"data.path={table}", f"data.labels={votes}", f"data.cache_dir={tmp_path}/cache"]
    config = compose_config(["data=fer2013", *place, f"data.label_mode={mode}"])
    data = build_data(config)
    loss = build_loss(config.loss, data, {})
    assert type(loss) is kind
    assert loss.targets is not None
    assert (loss.targets.numpy() == data.faces.targets).all()
    config.loss.label_smoothing = 0.1
    if mode == "multi_target":
        with pytest.raises(
            ConfigError, match=r"loss\.label_smoothing=0\.1 with data\.label_mode=multi_target"
        ):
            build_loss(config.loss, data, {})
