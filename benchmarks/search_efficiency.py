"""Compute seconds until a search has found a share of the best hypervolume known: real trainings, search by search.

    python -m benchmarks.search_efficiency [--samplers auto tpe ...] [--seeds 0 1 ...] [--trials 24] [--keep DIR]
                                           [--plain tpe nsga2 ...] [--plain-seconds 1800]

Every search is a whole `paretune search` of `joint` on digits in a home of its own, so nothing but its own teachers and
students is shared; with `--plain`, Ray Tune and its Optuna searcher as they come, see `benchmarks/plain_search.py`,
whose teachers cost nothing. They run one after the other, two trials at once on two cores. Compute seconds are those of
the points, training and measuring, in the order the points came in, and of our trials also what went into rounds that
were taken back; a model that several of our trials share is counted once. A seed is of the search and of its trainings:
what one finds lucky weights for, another cannot reach, so the best hypervolume is that of all points of all searches
with the same seed, on validation; the reference point is accuracy 0 and the costs of the unpruned resnet20, as in every
study (`search/front.py`). With `--keep` what a search left is read the next time instead of searched for again.
Prints Markdown and writes `benchmarks/results/search_efficiency.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.machine import machine
from benchmarks.plain_search import WAYS
from compress.measurement import Measurement
from search.front import GrowingFront, hypervolume
from search.record import Point, StudyRecord
from search.sampler import SAMPLERS
from search.study import Study

RESULTS = Path(__file__).parent / "results" / "search_efficiency.md"
SHARES = (0.8, 0.9, 0.95, 0.97, 0.99)
NAME = "efficiency"


def searched(home: Path, sampler: str, seed: int, trials: int) -> Study:
    """The study, run or gone on with unless it is complete."""
    study = Study(home, NAME)
    if len(study.trials) < trials or study.unfinished:
        command = [sys.executable, "-m", "paretune", "search", "--name", NAME, "--home", str(home)]
        options = ["--trials", str(trials), "--seed", str(seed), "--sampler", sampler]
        subprocess.run([*command, *options, *(["--resume"] if study.exists else [])], check=True, capture_output=True)
    return Study(home, NAME)


def plainly(home: Path, way: str, seed: int, seconds: float) -> Course:
    """What plain Ray Tune found, searched for unless it is there."""
    out = home / "points.jsonl"
    if not out.exists():
        home.mkdir(parents=True, exist_ok=True)
        part = home / "points.part"
        part.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.plain_search", way, "--seed", str(seed), "--out", str(part)]
        subprocess.run([*command, "--seconds", str(seconds)], check=True, capture_output=True)
        part.rename(out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    found = [(line["compute"], Point("", 0, {}, 0.0, "", Measurement(**line["measured"]), "")) for line in lines]
    return Course(found, len({line["trial"] for line in lines}), lines[-1]["wall"])


@dataclass(frozen=True)
class Course:
    """Compute seconds after each new point and the point; how many trials, and wall seconds from first to last."""

    points: list[tuple[float, Point]]
    trials: int
    wall: float


def course(study: Study) -> Course:
    """Of our search."""
    known = {point.id: point for point in study.record.points}
    seconds, found = 0.0, []
    events = list(study.ledger.events())
    made: dict[int, float] = {}
    for event in events:
        if event["event"] == "point" and event["id"] in known:
            point = known.pop(event["id"])
            seconds += point.measured.seconds
            made[event["trial"]] = made.get(event["trial"], 0.0) + point.measured.seconds
            found.append((seconds, point))
        elif event["event"] == "ended":
            work = sum(event["spent"].get(name, 0.0) for name in ("train", "measure", "cut"))
            seconds += max(0.0, work - made.get(event["trial"], 0.0))
    return Course(found, len(study.trials), events[-1]["time"] - events[0]["time"])


def until(found: Course, record: StudyRecord, wanted: float) -> float | None:
    """Compute seconds to that hypervolume, None if the search ended before."""
    best = GrowingFront(record.objectives, record.reference_point)
    for seconds, point in found.points:
        if best.add(point) and best.hypervolume >= wanted:
            return seconds
    return None


def report(record: StudyRecord, searches: dict[str, list[Course]]) -> str:
    """Markdown: for each search the median over seeds, and each seed's own figure; `record` of any study of ours."""

    def whole(found: list[Course]) -> float:
        points = [point for one in found for _, point in one.points]
        return hypervolume(points, record.objectives, record.reference_point)

    rounds = [list(found) for found in zip(*searches.values(), strict=True)]
    bests = [whole(found) for found in rounds]
    every = [one for found in rounds for one in found]
    lines = [
        f"Hypervolume of all {sum(len(one.points) for one in every)} points of {len(every)} searches: "
        f"{whole(every):.4f}, of each seed's {len(searches)} searches: {', '.join(f'{best:.4f}' for best in bests)}.",
        "",
        "| search | "
        + " | ".join(f"to {share:.0%}" for share in SHARES)
        + " | share at the end | compute in all | wall | trials |",
        "|---" * (len(SHARES) + 5) + "|",
    ]
    for name, found in searches.items():
        pairs = list(zip(found, bests, strict=True))
        cells = [_cell([until(one, record, share * best) for one, best in pairs]) for share in SHARES]
        cells.append(", ".join(f"{whole([one]) / best:.3f}" for one, best in pairs))
        cells += [_cell([one.points[-1][0] for one in found]), _cell([one.wall for one in found])]
        cells.append(", ".join(str(one.trials) for one in found))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(seconds: list[float | None]) -> str:
    """The median, never if more than half of them ended before; and each."""
    middle = median(float("inf") if one is None else one for one in seconds)
    each = ", ".join("never" if one is None else f"{one:.0f}" for one in seconds)
    return f"{'never' if middle == float('inf') else f'{middle:.0f}'} ({each})" if len(seconds) > 1 else each


def main() -> None:
    """Search, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    options.add_argument("--plain", nargs="*", choices=WAYS, default=[])
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options.add_argument("--trials", type=int, default=24)
    options.add_argument("--plain-seconds", type=float, default=1800.0)
    options.add_argument("--keep", type=Path)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        homes = (chosen.keep or Path(folder)).resolve()
        found: dict[str, list[Course]] = {}
        for seed in chosen.seeds:
            for sampler in chosen.samplers:
                study = searched(homes / f"{sampler}-{seed}", sampler, seed, chosen.trials)
                found.setdefault(sampler, []).append(course(study))
                print(f"{sampler} {seed}", file=sys.stderr)
            for way in chosen.plain:
                plain = plainly(homes / f"plain-{way}-{seed}", way, seed, chosen.plain_seconds)
                found.setdefault(f"plain Ray Tune, {way}", []).append(plain)
                print(f"plain {way} {seed}", file=sys.stderr)
        asked = f"--samplers {' '.join(chosen.samplers)} --seeds {' '.join(map(str, chosen.seeds))}"
        asked += f" --trials {chosen.trials}"
        if chosen.plain:
            asked += f" --plain {' '.join(chosen.plain)} --plain-seconds {chosen.plain_seconds:g}"
        text = f"# Compute seconds of a search\n\n`python -m benchmarks.search_efficiency {asked}` on {machine()}.\n\n"
        text += f"Ours: {chosen.trials} trials. Median of the seeds, and each seed. {report(study.record, found)}"
        chosen.out.write_text(text)
        print(text)


if __name__ == "__main__":
    main()
