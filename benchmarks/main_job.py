"""The main job, measured: 24 trials of `joint` on `digits`, cold and with a warm store, and what its points claim.

    python -m benchmarks.main_job [--trials 24] [--home DIR] [--out FILE]

Prints a table with the bar beside each figure, and writes it to `benchmarks/results/main_job.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import paretune
from benchmarks.machine import machine
from compress.data.tasks import load_task
from compress.measure import measure
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.store.files import Files
from compress.store.folder import Store
from search.study.ledger import Ledger
from search.study.record import Point, StudyRecord
from search.study.study import Study

RESULTS = Path(__file__).parent / "results" / "main_job.md"
CORES = 2


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    bar: str
    got: str
    met: bool


def run_search(home: Path, name: str, trials: int, *extra: str) -> float:
    """`paretune search` as a user types it; wall seconds."""
    command = [sys.executable, "-m", "paretune", "search", "--name", name, "--trials", str(trials), "--home", str(home)]
    start = time.perf_counter()
    subprocess.run([*command, *extra], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def spent(study: StudyRecord, *what: str) -> float:
    """Seconds of all trials that went into any of `what`."""
    return sum(trial.spent.get(name, 0.0) for trial in study.trials for name in what)


def idle_at_the_end(home: Path, name: str) -> float:
    """Seconds between the end of the last trial and that of the one before: so long all other workers have nothing."""
    ends = [event["time"] for event in Ledger(Study(home, name).folder).events() if event["event"] == "ended"]
    return float(ends[-1] - ends[-2])


def ask_again(home: Path, old: str, new: str) -> None:
    """A study that has asked for the recipes of an old one, and done none of them: what a fresh run over them is."""
    folder = Study(home, new).folder
    folder.mkdir(parents=True)
    ledger = Ledger(folder)
    for event in Ledger(Study(home, old).folder).events():
        values = {key: value for key, value in event.items() if key not in ("event", "time")}
        if event["event"] == "study":
            ledger.append("study", **{**values, "name": new})
        elif event["event"] == "asked":
            ledger.append("asked", **{**values, "optuna": None})


def search_rows(home: Path, trials: int) -> Iterator[Row]:
    """The search itself, cold and warm."""
    wall = run_search(home, "cold", trials)
    study = paretune.open_study("cold", home)
    front = paretune.front("cold", home=home)["points"]
    yield Row(
        f"`paretune search`, {trials} trials of joint on digits",
        "under 240 s, at least 150 points, at least 8 on the front",
        f"{wall:.0f} s, {len(study.points)} points, {len(front)} on the front",
        wall < 240 and len(study.points) >= 150 and len(front) >= 8,
    )
    busy = spent(study, "train", "measure", "cut") / (CORES * wall)
    parts = ", ".join(
        f"{name} {spent(study, name) / (CORES * wall):.1%}" for name in ("train", "measure", "cut", "store", "wait")
    )
    idle = idle_at_the_end(home, "cold") / (CORES * wall)
    yield Row(
        "share of that wall time outside training and measuring",
        "under 20 %",
        f"{1 - busy:.1%} ({parts}, one core idle beside the last trial {idle:.1%}, of {CORES} cores)",
        1 - busy < 0.2,
    )
    ask_again(home, "cold", "warm")
    warm_wall = run_search(home, "warm", trials, "--resume")
    warm = paretune.open_study("warm", home)
    cold_seconds, warm_seconds = spent(study, "train"), spent(warm, "train")
    early = {trial.id for trial in study.trials if trial.status == "stopped"}
    known = {point.id for point in study.points}
    new = [point for trial in warm.trials if trial.id not in early for point in trial.points if point.id not in known]
    yield Row(
        "the same recipes again with a warm store",
        "at least 5 times less training time",
        f"{cold_seconds:.1f} s of training, then {warm_seconds:.1f} s ({warm_wall:.0f} s wall), with the rests of "
        f"{len(early)} curves that ended early before",
        cold_seconds >= 5 * warm_seconds and known <= {point.id for point in warm.points} and not new,
    )
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    yield Row("what the home holds after both", "under 100 MB", f"{size / 1e6:.1f} MB", size < 100e6)


def reload_front(home: Path, name: str) -> list[str]:
    """Measure every point of the front again, in this process; a sentence for each figure that differs."""
    torch.set_num_threads(1)
    study = paretune.open_study(name, home)
    on_front = {point["id"] for point in paretune.front(name, home=home)["points"]}
    task = load_task(study.task)
    wrong = []
    for point in study.points:
        if point.id in on_front:
            files = Files.read(Path(point.path))
            fresh = measure(files.module(), task, files)
            for figure in ("score_test", "score_validation", "params", "nonzero_params", "macs", "size_bytes"):
                if getattr(fresh, figure) != getattr(point.measured, figure):
                    wrong.append(f"{point.id[:8]} {figure}")
    return wrong


def point_rows(home: Path) -> Iterator[Row]:
    """What the points claim."""
    code = f"from benchmarks.main_job import *; print(json.dumps(reload_front(Path({str(home)!r}), 'cold')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wrong = json.loads(done.stdout)
    yield Row(
        "every point on the front reloaded in a new process",
        "same accuracies, params, nonzero params, MACs, bytes",
        "all the same" if not wrong else f"{len(wrong)} differ: {', '.join(wrong[:5])}",
        not wrong,
    )
    study = paretune.open_study("cold", home)
    assert study.teacher is not None
    full = _bytes_a_param(study.teacher)
    shrunk = [p for p in study.points if p.variant == "float" and p.measured.params == p.measured.nonzero_params]
    off = [abs(_bytes_a_param(p) / full - 1) for p in shrunk]
    beyond = [p.measured.params for p, o in zip(shrunk, off, strict=True) if o > 0.1]
    yield Row(
        f"bytes a parameter of {len(shrunk)} points with channels or ranks removed, against the teacher's {full:.3f}",
        "within 10 %",
        f"at most {max(off):.1%} off; {len(beyond)} are beyond, of {max(beyond, default=0)} params and fewer",
        max(off) <= 0.1,
    )


def _bytes_a_param(point: Point) -> float:
    return point.measured.size_bytes / point.measured.params


def other_rows(home: Path) -> Iterator[Row]:
    """Determinism, import time, input pipeline."""
    study = paretune.open_study("cold", home)
    recipe = min((t for t in study.trials if len(t.points) > 1), key=lambda t: t.seconds).recipe
    hashes = [_weights_of(dict(recipe)) for _ in range(2)]
    yield Row(
        "same recipe, same seed, twice",
        "bitwise the same weights",
        "same" if hashes[0] == hashes[1] else "differ",
        hashes[0] == hashes[1],
    )
    code = (
        "import sys, time; t = time.perf_counter(); import compress, compress.pipeline; s = time.perf_counter() - t; "
        "print(round(s, 2), [m for m in ('ray', 'mlflow', 'optuna', 'plotly') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    yield Row(
        "`import compress`, its pipeline included",
        "under 3 s, no ray, mlflow, optuna, plotly",
        said,
        said.endswith("[]") and float(said.split()[0]) < 3,
    )
    rows = json.loads(
        subprocess.run(
            [sys.executable, "-m", "benchmarks.input_pipeline", "--json"], capture_output=True, text=True, check=True
        ).stdout
    )
    ratios = [row["ratio"] for row in rows["rows"]]
    yield Row(
        "batches a second against a DataLoader with torchvision's transforms",
        "at least 3 times",
        f"{min(ratios):.1f} times",
        min(ratios) >= 3,
    )


def _weights_of(recipe: dict[str, Any]) -> list[str]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        made = list(Pipeline(load_task(str(recipe["task"])), store).run(Recipe.from_json(recipe)))
        return [Files.read(Path(point.path)).sha256 for point in made]


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| what | bar | measured | met |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {r.what} | {r.bar} | {r.got} | {'yes' if r.met else '**no**'} |" for r in rows])


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> None:
    """Run everything, print and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=24)
    options.add_argument("--home", type=Path)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with _home(chosen.home) as home:
        rows = []
        for part in (search_rows(home, chosen.trials), point_rows(home), other_rows(home)):
            for row in part:
                rows.append(row)
                print(f"{row.what}: {row.got} (bar: {row.bar})", flush=True)
    text = f"# The main job\n\n`python -m benchmarks.main_job` on {machine()}.\n\n{table(rows)}\n"
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
