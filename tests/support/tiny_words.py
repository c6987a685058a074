"""The words of a run of about a second, which most tests of whole runs begin with."""

from __future__ import annotations

# Few enough faces for a run of a second, enough that a small net learns something from them.
TINY = [
    "data.drawing.n_train=96",
    "data.drawing.n_val=48",
    "data.drawing.n_test=48",
    "data.batch_size=32",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "threads=1",
    "logger=csv",
]
