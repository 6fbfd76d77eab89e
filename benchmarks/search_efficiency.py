"""Compute seconds until a search has found a share of the best hypervolume known: real trainings, sampler by sampler.

    python -m benchmarks.search_efficiency [--samplers auto tpe ...] [--seeds 0 1 ...] [--trials 24] [--keep DIR]

Every search is a whole `paretune search` of `joint` on digits in a home of its own, so nothing but its own teachers and
students is shared; they run one after the other, two trials at once on two cores. Compute seconds are those of its
points, training and measuring, in the order the points came in; a model that several trials share is counted once. The
best hypervolume is that of all points of all searches together, on validation; the reference point is accuracy 0 and
the costs of the unpruned resnet20, as in every study (`search/front.py`). With `--keep` what a search left is read the
next time instead of searched for again. Prints Markdown and writes `benchmarks/results/search_efficiency.md`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.machine import machine
from search.front import front, hypervolume
from search.record import Point
from search.sampler import SAMPLERS
from search.study import Study

RESULTS = Path(__file__).parent / "results" / "search_efficiency.md"
SHARES = (0.8, 0.9, 0.95, 0.97, 0.99)
NAME = "efficiency"


def searched(home: Path, sampler: str, seed: int, trials: int) -> Study:
    """The study, run or gone on with unless it is complete."""
    study = Study(home, NAME)
    if len([t for t in study.trials.values() if t.status == "complete"]) < trials:
        command = [sys.executable, "-m", "paretune", "search", "--name", NAME, "--home", str(home)]
        options = ["--trials", str(trials), "--seed", str(seed), "--sampler", sampler]
        subprocess.run([*command, *options, *(["--resume"] if study.exists else [])], check=True, capture_output=True)
    return Study(home, NAME)


def course(study: Study) -> list[tuple[float, Point]]:
    """Compute seconds after each new point, and the point."""
    record = study.record
    known = {point.id: point for point in record.points}
    seconds, found = 0.0, []
    for event in study.ledger.events():
        if event["event"] == "point" and event["id"] in known:
            point = known.pop(event["id"])
            seconds += point.measured.seconds
            found.append((seconds, point))
    return found


def until(study: Study, wanted: float) -> float | None:
    """Compute seconds to that hypervolume, None if the search ended before."""
    record = study.record
    best: list[Point] = []
    for seconds, point in course(study):
        best = front([*best, point], record.objectives)
        if point in best and hypervolume(best, record.objectives, record.reference_point) >= wanted:
            return seconds
    return None


def report(studies: dict[str, list[Study]]) -> str:
    """Markdown: for each sampler the median over seeds, and each seed's own figure."""
    every = [study.record for found in studies.values() for study in found]
    points = [point for record in every for point in record.points]
    reference = every[0].reference_point
    best = hypervolume(points, every[0].objectives, reference)
    lines = [
        f"Hypervolume of all {len(points)} points of {len(every)} searches: {best:.4f}.",
        "",
        "| sampler | " + " | ".join(f"to {share:.0%}" for share in SHARES) + " | share at the end | seconds in all |",
        "|---" * (len(SHARES) + 3) + "|",
    ]
    for sampler, found in studies.items():
        cells = [_cell([until(study, share * best) for study in found]) for share in SHARES]
        ends = [hypervolume(s.record.points, s.record.objectives, reference) / best for s in found]
        cells.append(", ".join(f"{end:.3f}" for end in ends))
        cells.append(_cell([course(study)[-1][0] for study in found]))
        lines.append(f"| {sampler} | {' | '.join(cells)} |")
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
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options.add_argument("--trials", type=int, default=24)
    options.add_argument("--keep", type=Path)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        homes = chosen.keep or Path(folder)
        studies: dict[str, list[Study]] = {sampler: [] for sampler in chosen.samplers}
        for seed in chosen.seeds:
            for sampler in chosen.samplers:
                studies[sampler].append(searched(homes / f"{sampler}-{seed}", sampler, seed, chosen.trials))
                print(f"{sampler} {seed}", file=sys.stderr)
        asked = f"--samplers {' '.join(chosen.samplers)} --seeds {' '.join(map(str, chosen.seeds))}"
        text = f"# Compute seconds of a search\n\n`python -m benchmarks.search_efficiency {asked}` on {machine()}.\n\n"
        text += f"{chosen.trials} trials each. Median of the seeds, and each seed. {report(studies)}"
        chosen.out.write_text(text)
        print(text)


if __name__ == "__main__":
    main()
