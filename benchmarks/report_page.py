"""What the report page costs: seconds to build, bytes, and seconds until Chromium shows its table and drawings.

    python benchmarks/report_page.py [runs ...] [--gallery]

Each line is a study on disk in a sweep's form, made without training: 20 epochs, 3,589 validation faces and a
saliency grid in each complete run. "build" is the reading of all run folders and the writing of the page, importance
included. "open" is from the start of the navigation until the table of all runs stands, "drawn" until every drawing
stands too, and "thread" the processor's time of the page's own thread until then, which a busy machine does not
stretch; each is the median of the repeats, each in a new tab. With --gallery the page also has the 3,589 faces,
drawn by a program, their three nearest of 4,000 training faces, and what each run takes each face for; "build" then
counts the search of the nearest ones, which a study makes once.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import sync_playwright  # noqa: E402

from fer_lightning.report.page import page_gallery, page_model, write_page  # noqa: E402
from fer_lightning.sweeps.study.results import load_study, load_trials  # noqa: E402
from page_study import make_study  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 300_000  # milliseconds: a slow opening is to be measured
DATA = {
    "_target_": "fer_lightning.data.datamodule.FaceDataModule",
    "name": "synthetic",
    "drawing": {"n_train": 4000, "n_val": 3589, "n_test": 20},
}
GOALS = {50: "< 5 MB", 500: "< 40 MB, < 3 s"}


def opening_seconds(path: Path, repeats: int) -> tuple[float, ...]:
    """Median seconds until the table stands and until all is drawn, and of the page's thread."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(repeats):
            page = browser.new_page()
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            began = time.perf_counter()
            page.goto(path.as_uri(), timeout=PATIENCE)
            page.wait_for_selector("body.ready", state="attached", timeout=PATIENCE)
            opened = time.perf_counter() - began
            page.wait_for_selector("body.drawn", state="attached", timeout=PATIENCE)
            drawn = time.perf_counter() - began
            measured = {
                row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]
            }
            found.append((opened, drawn, measured["ThreadTime"]))
            page.close()
        browser.close()
    return tuple(statistics.median(column) for column in zip(*found, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=int, default=[50, 500])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gallery", action="store_true")
    arguments = parser.parse_args()
    titles = ("build s", "cpu s", "MB", "open s", "drawn s", "thread s")
    print(f"{'runs':>6}" + "".join(f"  {title:>8}" for title in titles) + "  goal")
    for n_runs in arguments.runs:
        with tempfile.TemporaryDirectory() as folder:
            place = make_study(
                Path(folder) / "study",
                n_runs,
                epochs=20,
                faces=3589,
                data=DATA if arguments.gallery else None,
            )
            wall, cpu = time.perf_counter(), time.process_time()
            trials = load_trials(place)
            gallery = page_gallery(trials, place) if arguments.gallery else None
            path = write_page(page_model(load_study(place), trials, gallery=gallery), place)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            size = path.stat().st_size / 1e6
            seconds = (wall, cpu, size, *opening_seconds(path, arguments.repeats))
        row = f"{n_runs:>6}" + "".join(f"  {value:>8.2f}" for value in seconds)
        print(f"{row}  {GOALS.get(n_runs, '')}", flush=True)


if __name__ == "__main__":
    main()
