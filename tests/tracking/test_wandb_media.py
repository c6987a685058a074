from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from fer_lightning.tracking.logger import WandbRun, log_media
from fer_lightning.tracking.media import as_image, confusion_table


class Calls:
    """Stands for the W&B run: keeps what is logged."""

    step = 0

    def __init__(self, folder: Path) -> None:
        self.rows: list[dict] = []
        self.dir = str(folder)
        self.offline = True

    def _publish_file(self, path: str) -> None:
        assert (Path(self.dir) / path).is_file()

    def log(self, row: dict) -> None:
        self.rows.append(row)

    def finish(self, exit_code: int) -> None:
        self.rows.append({"exit": exit_code})


def test_an_array_becomes_the_picture_it_says():
    grey = as_image(np.array([[0.0, 0.5], [1.0, 0.2]]))
    assert grey.mode == "L"
    assert np.asarray(grey).tolist() == [[0, 128], [255, 51]]
    colour = as_image(np.full((4, 6, 3), 7, np.uint8))
    assert (colour.mode, colour.size) == ("RGB", (6, 4))
    picture = Image.new("RGB", (2, 2))
    assert as_image(picture) is picture


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2, 4), np.uint8), r"shape \(2, 2, 4\): expected \[H, W\]"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.full((2, 2), 255.0), "from 255 to 255: expected floats within"),
        (np.full((2, 2), np.nan), "from nan to nan"),
        (np.zeros((2, 2), np.int64), "picture of int64: expected uint8"),
    ],
)
def test_a_picture_of_another_kind_is_refused(array, words):
    with pytest.raises(ValueError, match=words):
        as_image(array)


def test_a_confusion_matrix_becomes_one_row_a_cell():
    columns, rows = confusion_table(np.array([[3, 1], [0, 2]]), ["sad", "happy"])
    assert columns == ("true", "predicted", "faces")
    assert rows == [("sad", "sad", 3), ("sad", "happy", 1), ("happy", "sad", 0), ("happy", "happy", 2)]
    with pytest.raises(ValueError, match=r"\(2, 2\) for 3 classes"):
        confusion_table(np.zeros((2, 2)), ["a", "b", "c"])


def test_pictures_go_out_with_the_metrics_of_their_epoch(tmp_path):
    run = WandbRun(tmp_path, mode="offline")
    run.run = calls = Calls(tmp_path)
    for epoch in range(2):
        run.log_metrics({"epoch": epoch, "val/acc": 0.5})
        log_media(
            [CSVLogger(tmp_path), run], {"faces": np.zeros((4, 4))}, {"counts": (["a"], [[np.int64(3)]])}
        )
        run.log_metrics({"epoch": epoch, "train/acc": 0.6})
    run.is_last = lambda epoch: epoch == 2
    run.log_metrics({"epoch": 2, "val/acc": 0.5, "train/acc": 0.6})
    assert len(calls.rows) == 2
    run.log_media({"late": np.zeros((4, 4), np.uint8)})
    run.log_media({"best": np.zeros((4, 4), np.uint8)}, epoch=1)
    run.finalize("success")
    run.close()
    assert [sorted(row) for row in calls.rows] == [
        ["counts", "epoch", "faces", "train/acc", "val/acc"],
        ["counts", "epoch", "faces", "train/acc", "val/acc"],
        ["epoch", "late", "train/acc", "val/acc"],
        ["best", "epoch"],
        ["exit"],
    ]
    assert [row["epoch"] for row in calls.rows[:4]] == [0, 1, 2, 1]
    assert run.about == {"picture_rows": 1}
    assert calls.rows[0]["counts"].data == [[3]]


def test_pictures_are_dropped_where_nothing_is_logged(tmp_path):
    run = WandbRun(tmp_path, mode="disabled")
    run.log_media({"faces": np.zeros((4, 4))}, {"counts": (["a"], [[1]])})
    assert run.rows.media == {}
    run.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="expected"):
        run.log_media({"faces": np.zeros(4)})


def test_a_broken_run_does_not_stop_the_training(tmp_path, caplog):
    class Broken(Calls):
        def log(self, row: dict) -> None:
            raise RuntimeError("service is gone")

    run = WandbRun(tmp_path, mode="offline")
    run.run = Broken(tmp_path)
    with caplog.at_level("INFO"):
        run.log_metrics({"epoch": 0, "train/acc": 0.5})
        run.log_media({"faces": np.zeros((4, 4))})
        run.close()
    assert "service is gone" in caplog.text
    assert run.failed


def test_a_picture_that_is_a_file_is_kept_byte_for_byte(tmp_path):
    picture = tmp_path / "sheet.png"
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(picture, compress_level=1)
    run = WandbRun(tmp_path / "run", mode="offline", run_id="with-a-file")
    run.log_metrics({"epoch": 0, "train/acc": 0.6}, step=1)
    run.log_media({"sheet": picture})
    run.close()
    (kept,) = (tmp_path / "run").glob("wandb/offline-run-*/files/media/images/sheet*.png")
    assert kept.read_bytes() == picture.read_bytes()
    (log,) = (tmp_path / "run").glob("wandb/offline-run-*/*.wandb")
    assert str(picture).encode() not in log.read_bytes()
