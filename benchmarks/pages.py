"""What a reader waits for: the report's size and its first picture in headless Chromium, and the verbs on a long study.

    python -m benchmarks.pages [--points 10000] [--trials 1000]

The study is written event by event as a search writes it; its figures are made up: falling curves with a teacher, the
choices of a joint space, latencies and accuracies with all their digits. Prints Markdown and writes
`benchmarks/results/pages.md`. Wall time: on a machine that does other work it is too large.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import median

from benchmarks.bars import Row, table
from benchmarks.browser import browser
from benchmarks.machine import machine
from compress.measurement import Measurement
from search.study.record import Choice, point_event
from search.study.study import Study

RESULTS = Path(__file__).parent / "results" / "pages.md"
VALIDATION = 5000
TIMES = 3
STEP = """
  const slider = document.getElementById("slide-max_params"), times = [];
  for (let step = 0; step < 9; step++) {
    const start = performance.now();
    slider.value = slider.max - 10 * step - 1;
    slider.dispatchEvent(new Event("input"));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[4];
"""
ORDERS = ("prune", "distill-prune", "prune-distill", "lowrank")
METHODS = {
    "pruner": ("l1-filter", "fpgm", "taylor"),
    "distiller": ("kd", "at", "none"),
    "schedule": ("cubic", "one-shot"),
}


def written(home: Path, trials: int, points: int) -> Study:
    """A study `pages` of so many trials, the teacher's among them, and so many points in all."""
    study, draw = Study(home, "pages"), random.Random(0)
    costs = {"params": 272_186, "flops": 5_065_984}
    study.begin(
        task="digits",
        space="joint",
        seed=0,
        objectives=["accuracy", *costs],
        reference_point={"accuracy": 0.0, **costs},
    )
    study.ask(_recipe("resnet20", 1.0, "train"), {}, None)
    study.add(0, point_event(f"{0:032x}", 0.0, "float", _measured(draw, 0.98, 272_186, 20.0)))
    study.end(0, "complete", "", 20.0, {"train": 19.0, "measure": 1.0})
    made = 1
    for number in range(1, trials):
        order, student, width = draw.choice(ORDERS), draw.choice(("cnn", "resnet20")), draw.choice((0.25, 0.5, 1.0))
        methods = {name: draw.choice(names) for name, names in METHODS.items()}
        choices: dict[str, Choice] = {
            "order": order,
            "student": student,
            "width": width,
            **methods,
            "lr": draw.uniform(0.01, 0.1),
        }
        recipe = _recipe(student, width, "train", "factorize" if order == "lowrank" else "prune")
        study.ask(recipe, choices, number)
        length = round((points - made) / (trials - number))
        study.add_all(number, list(_curve(draw, made, length)))
        study.end(number, "complete", "", float(length), {"train": 0.9 * length, "measure": 0.1 * length})
        made += length
    return study


def _recipe(student: str, width: float, *stages: str) -> dict[str, object]:
    return {"student": {"family": student, "width": width}, "stages": [{"type": stage} for stage in stages], "seed": 0}


def _curve(draw: random.Random, first: int, length: int) -> Iterator[dict[str, object]]:
    size, best, bend = draw.randrange(2_000, 270_000), 0.9 + 0.08 * draw.random(), 2 + 6 * draw.random()
    for stop in range(length):
        sparsity = 0.97 * stop / max(1, length - 1)
        accuracy = best * (1 - 0.8 * sparsity**bend)
        measured = _measured(draw, accuracy, max(50, int(size * (1 - sparsity))), 1.0)
        yield point_event(f"{first + stop:032x}", round(sparsity, 6), "float", measured)


def _measured(draw: random.Random, accuracy: float, params: int, seconds: float) -> Measurement:
    validation, test = (round((accuracy + draw.gauss(0, 0.003)) * VALIDATION) / VALIDATION for _ in range(2))
    macs, latency = params * draw.randrange(5, 50), 0.1 + params / 1e6 + 0.02 * draw.random()
    sizes = (4 * params + 2_000, 3 * params + 1_500)
    return Measurement(validation, test, params, params, macs, *sizes, latency, 1.2 * latency, "cpu", 1, seconds)


def verb_rows(home: Path, points: int, trials: int) -> Iterator[Row]:
    """The verbs as processes of their own."""
    written(home, trials, points)
    for verb, bar, options in (
        ("front", None, []),
        ("select", None, ["--max-params", "10%", "--min-accuracy", ".9"]),
        ("report", 10.0, ["--out", str(home / "report.html")]),
    ):
        command = [sys.executable, "-m", "paretune", verb, "pages", "--home", str(home), *options]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        bars = f"under {bar:.0f} s" if bar else ""
        what = f"`paretune {verb}`, {points:,} points of {trials:,} trials"
        yield Row(what, bars, f"{seconds:.1f} s", seconds < bar if bar else None)


def page_rows(home: Path, points: int) -> Iterator[Row]:
    """The page of a study, and what Chromium makes of it."""
    written(home, max(2, points // 10), points)
    page = home / "report.html"
    command = [sys.executable, "-m", "paretune", "report", "pages", "--home", str(home), "--out", str(page)]
    subprocess.run(command, check=True, capture_output=True)
    size = page.stat().st_size / 1e6
    yield Row(f"the report of {points:,} points", "under 5 MB", f"{size:.1f} MB", size < 5)
    first, drawn, step = (median(each) for each in zip(*(_opened(page) for _ in range(TIMES)), strict=True))
    what = f"its first picture, the front of {points:,} points, after it was opened (median of {TIMES} browsers)"
    yield Row(what, "under 2 s", f"{first / 1000:.2f} s", first < 2000)
    yield Row("all its figures", "", f"{drawn / 1000:.2f} s")
    yield Row("a slider's step: pick, tables and figures", "", f"{step:.0f} ms")


def _opened(page: Path) -> tuple[float, float, float]:
    """In ms since a fresh browser began to open it: the front on the screen, all figures; and a slider's step."""
    with browser() as tab:
        tab.open(page)
        drawn = tab.run("return [document.documentElement.dataset.first, document.documentElement.dataset.drawn]")
        return float(drawn[0]), float(drawn[1]), float(tab.run(STEP))


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--points", type=int, default=10_000)
    options.add_argument("--trials", type=int, default=1_000)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    rows: list[Row] = []
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as home:
        verbs = verb_rows(Path(home) / "verbs", chosen.points, chosen.trials)
        for row in chain(verbs, page_rows(Path(home) / "page", chosen.points // 2)):
            rows.append(row)
            print(f"{row.what}: {row.got} (bar: {row.bar or 'none'})", flush=True)
    load = f"Load before it began: {before:.1f} processes."
    chosen.out.write_text(f"# Pages\n\n`python -m benchmarks.pages` on {machine()}. {load}\n\n{table(rows)}\n")
    print(chosen.out.read_text())


if __name__ == "__main__":
    main()
