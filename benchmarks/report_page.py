"""What the report page costs: seconds to build, bytes, and seconds until Chromium shows its table.

    python benchmarks/report_page.py [runs ...]

Each line is a study on disk in a sweep's form, made without training: 20 epochs, 3,589 validation faces and a
saliency grid in each complete run. "build" is the reading of all run folders and the writing of the page, importance
included; "open" is from the start of the navigation until the page says that its table and drawings stand, the
median of the repeats, each in a new tab.
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

from page_study import make_study  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from fer_lightning.report.page import write_page  # noqa: E402
from fer_lightning.sweeps.records import load_study, load_trials  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
GOALS = {50: "< 5 MB", 500: "< 40 MB, < 3 s"}


def opening_seconds(path: Path, repeats: int) -> float:
    """Median seconds from the start of the navigation until the page is drawn."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(repeats):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("body.ready")
            found.append(time.perf_counter() - began)
            page.close()
        browser.close()
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=int, default=[50, 500])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'runs':>6}  {'build s':>8}  {'cpu s':>6}  {'MB':>6}  {'open s':>7}  goal")
    for n_runs in arguments.runs:
        with tempfile.TemporaryDirectory() as folder:
            place = make_study(Path(folder) / "study", n_runs, epochs=20, faces=3589)
            wall, cpu = time.perf_counter(), time.process_time()
            path = write_page(load_study(place), load_trials(place), place)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            opened = opening_seconds(path, arguments.repeats)
            size = path.stat().st_size / 1e6
        goal = GOALS.get(n_runs, "")
        print(f"{n_runs:>6}  {wall:>8.1f}  {cpu:>6.1f}  {size:>6.2f}  {opened:>7.2f}  {goal}", flush=True)


if __name__ == "__main__":
    main()
