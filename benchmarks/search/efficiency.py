"""Compute seconds until a search has found a share of the best hypervolume known: real trainings, search by search.

    python -m benchmarks.search.efficiency [--searches ours tpe ... "plain tpe" ...] [--seeds 0 1 ...] [--trials 80]
                                           [--times 5.5] [--teachers DIR]

Every one of ours is a whole `paretune search` of `joint` on digits in a home of its own, so nothing but its own
teachers and students is shared: `ours`, as it comes; `ours, whole curves`, without early stopping; `ours, tpe` and so
on, with another sampler; `ours, nothing shared` and `ours, a point a trial`, see `without.py`. The `plain`
ones are Ray Tune and its Optuna searcher as they come, see `plain_search.py`; one ends after so many
`--times` the compute seconds in which `ours` came to 97 % with the same seed. Theirs and those of `ours, nothing
shared` are teachers that cost nothing, kept in DIR for the next. Searches run one after the other, seed by seed, two
trials at once on two cores.

Compute seconds are those of the points, training and measuring, in the order the points came in, and of our trials also
what went into rounds that were taken back; a model that several of our trials share is counted once. A seed is of the
search and of its trainings: what one finds lucky weights for, another cannot reach, so the best hypervolume is that of
all points of all searches with the same seed, on validation; the reference point is accuracy 0 and the costs of the
unpruned resnet20, as in every study (`search/study/front.py`). What was searched is recorded (`courses.py`) and
not searched again; `ours, papers first` is what ours was while `auto` still looked at the papers' recipes first, and
cannot be searched any more. Prints Markdown and writes `benchmarks/results/search_efficiency.md`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from benchmarks.machine import machine
from benchmarks.search.courses import RECORDED, Came, Course, hypervolume, moving, read, write
from benchmarks.search.plain_search import WAYS
from benchmarks.search.without import keys
from compress.measurement import Measurement
from search.sampling.optuna_study import SAMPLERS
from search.study.record import measurement_from_json
from search.study.study import Study

RESULTS = Path(__file__).parents[1] / "results" / "search_efficiency.md"
SHARES = (0.8, 0.9, 0.95, 0.97, 0.99)
NAME = "efficiency"
OURS = {
    "ours": [],
    "ours, whole curves": ["--whole-curves"],
    **{f"ours, {sampler}": ["--sampler", sampler] for sampler in SAMPLERS if sampler != "auto"},
}
WITHOUT = {"ours, nothing shared": "sharing", "ours, a point a trial": "curves"}
PLAIN = {f"plain {way}": way for way in WAYS}
FIRST = {"RAY_worker_niceness": "0"}
"""So that what the machine does beside does not come before Ray's workers."""
Known = dict[tuple[str, int], Course]


def searched(home: Path, search: str, seed: int, trials: int, teachers: Path) -> Course:
    """One of ours, run."""
    verb = ["benchmarks.search.without", WITHOUT[search]] if search in WITHOUT else ["paretune", "search"]
    options = OURS.get(search, ["--teachers", str(teachers)])
    command = [sys.executable, "-m", *verb, "--name", NAME, "--home", str(home), *options]
    command += ["--trials", str(trials), "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | FIRST)
    return course(Study(home, NAME), search, seed, keys(teachers))


def course(study: Study, search: str, seed: int, given: Set[str] = frozenset()) -> Course:
    """Of a study of ours; where nothing is shared but models that were `given`, by key, those are free.

    Where a trial shows one point, that comes once all that was made for it is paid.
    """
    seconds, found = 0.0, []
    events = list(study.ledger.events())
    shared, one = search != "ours, nothing shared", search == "ours, a point a trial"
    free = set() if shared else set(given)
    made: defaultdict[int, float] = defaultdict(float)
    shown: defaultdict[int, list[Measurement]] = defaultdict(list)
    for event in events:
        trial = int(event.get("trial", -1))
        if event["event"] == "point":
            point = measurement_from_json(event["measured"])
            shown[trial].append(point)
            if event["id"] not in free and not one:
                seconds += point.seconds
                made[trial] += point.seconds
            if shared:
                free.add(event["id"])
        elif event["event"] == "ended":
            work = sum(event["spent"].get(name, 0.0) for name in ("train", "measure", "cut"))
            seconds += max(0.0, work - made[trial])
        if event["event"] == ("ended" if one else "point"):
            came = shown.pop(trial, [])
            found += [Came(seconds, point.score_validation, point.params, point.macs) for point in came]
    points = len({point.id for point in study.record.points})
    reference = study.record.reference_point
    wall = events[-1]["time"] - events[0]["time"]
    return Course(
        search, seed, machine(), len(study.trials), points, seconds, wall, reference, moving(found, reference)
    )


def plainly(out: Path, search: str, seed: int, known: Known, times: float, teachers: Path) -> Course:
    """Plain Ray Tune, run for so many times what ours took to 97 %."""
    ours = known["ours", seed]
    enough = ours.until(0.97 * best_known(known, seed))
    seconds = times * (ours.compute if enough is None else enough)
    command = [
        sys.executable,
        "-m",
        "benchmarks.search.plain_search",
        PLAIN[search],
        "--seed",
        str(seed),
        "--out",
        str(out),
    ]
    more = ["--seconds", str(seconds), "--teachers", str(teachers)]
    subprocess.run([*command, *more], check=True, capture_output=True, env=os.environ | FIRST)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    figures = [(line["compute"], measurement_from_json(line["measured"])) for line in lines]
    found = [Came(spent, one.score_validation, one.params, one.macs) for spent, one in figures]
    trials = len({line["trial"] for line in lines})
    came = moving(found, ours.reference)
    return Course(
        search, seed, machine(), trials, len(lines), lines[-1]["compute"], lines[-1]["wall"], ours.reference, came
    )


@dataclass(frozen=True)
class Table:
    """All that is known, as Markdown."""

    known: Known

    @cached_property
    def seeds(self) -> list[int]:
        """All there are."""
        return sorted({seed for _, seed in self.known})

    @cached_property
    def bests(self) -> dict[int, float]:
        """The best hypervolume known, by seed."""
        return {seed: best_known(self.known, seed) for seed in self.seeds}

    def reached(self, one: Course, share: float) -> tuple[float, bool]:
        """Compute seconds, and whether the share was reached within them."""
        seconds = one.until(share * self.bests[one.seed])
        return (one.compute, False) if seconds is None else (seconds, True)

    def row(self, search: str) -> str:
        """Compute seconds to each share, the median over seeds and each seed's own, and what the search took."""
        found = [self.known.get((search, seed)) for seed in self.seeds]
        cells = []
        for share in SHARES:
            reached = [self.reached(one, share) if one else None for one in found]
            middle = median(one[0] if one[1] else math.inf for one in reached if one)
            each = _each(_seconds(*one) if one else "-" for one in reached)
            cells.append(f"{'never' if middle == math.inf else f'{middle:.0f}'} ({each})")
        cells.append(_each(f"{hypervolume([one]) / self.bests[one.seed]:.3f}" if one else "-" for one in found))
        for figure in ("compute", "wall", "trials"):
            cells.append(_each(f"{getattr(one, figure):.0f}" if one else "-" for one in found))
        return f"| {search} | {' | '.join(cells)} |"

    def times(self, search: str, share: float) -> str:
        """How many times the compute seconds of ours, seed by seed."""
        cells = []
        for seed in self.seeds:
            other, ours = self.known.get((search, seed)), self.known.get(("ours", seed))
            if other is None or ours is None:
                cells.append("-")
                continue
            (seconds, came), (least, there) = self.reached(other, share), self.reached(ours, share)
            times = math.floor(10 * seconds / least) / 10  # at least so many
            cells.append(f"{'' if came else '>'}{times:.1f}" if there else "ours never")
        return _each(cells)

    def markdown(self) -> str:
        """Both tables."""
        searches = {search for search, _ in self.known}
        names = [name for name in (*OURS, *WITHOUT, *PLAIN) if name in searches]
        names += sorted(searches.difference(names))
        points = sum(one.points for one in self.known.values())
        lines = [
            f"{len(self.known)} searches, {points} points. Best hypervolume known of seeds "
            f"{_each(map(str, self.seeds))}: {_each(f'{best:.4f}' for best in self.bests.values())}. Compute seconds, "
            "the median of the seeds and each seed; `>` where a search ended before, - where none was run.",
            "",
            f"| search | {' | '.join(f'to {share:.0%}' for share in SHARES)} | at the end | compute | wall | trials |",
            "|---" * (len(SHARES) + 5) + "|",
            *map(self.row, names),
            "",
            "| times the compute seconds of ours | to 95% | to 97% |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {self.times(name, 0.95)} | {self.times(name, 0.97)} |" for name in names[1:]]
        lines += ["", f"Searched on {'; '.join(sorted({one.machine for one in self.known.values()}))}.", ""]
        return "\n".join(lines)


def best_known(known: Known, seed: int) -> float:
    """The hypervolume of all searches with that seed."""
    return hypervolume(one for one in known.values() if one.seed == seed)


def _each(cells: Iterable[str]) -> str:
    return ", ".join(cells)


def _seconds(seconds: float, reached: bool) -> str:
    return f"{'' if reached else '>'}{seconds:.0f}"


def main() -> None:
    """Search, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--searches", nargs="+", choices=[*OURS, *WITHOUT, *PLAIN], default=["ours", *PLAIN])
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options.add_argument("--trials", type=int, default=80)
    options.add_argument("--times", type=float, default=5.5)
    options.add_argument("--teachers", type=Path)
    options.add_argument("--recorded", type=Path, default=RECORDED)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        for seed, search in itertools.product(chosen.seeds, chosen.searches):
            known = read(chosen.recorded)
            if (search, seed) in known:
                continue
            if search in PLAIN and ("ours", seed) not in known:
                options.error(f"--searches: {search!r} with seed {seed} is measured against ours, which comes first")
            with tempfile.TemporaryDirectory() as folder:
                teachers = (chosen.teachers or Path(kept)).resolve() / f"seed-{seed}"
                if search not in PLAIN:
                    found = searched(Path(folder), search, seed, chosen.trials, teachers)
                else:
                    found = plainly(Path(folder) / "points.jsonl", search, seed, known, chosen.times, teachers)
            write(found, chosen.recorded)
            print(f"{search}, seed {seed}", file=sys.stderr)
    text = "# Compute seconds of a search\n\n`python -m benchmarks.search.efficiency`, all that is recorded. "
    text += Table(read(chosen.recorded)).markdown()
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
