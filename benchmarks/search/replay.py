"""How many compute seconds a search needs, over the recorded table: ours, each idea switched off, and the obvious ones.

    python -m benchmarks.search.replay [--only NAME ...] [--seeds 20] [--seconds 6000]

Replays what `searches.py` has, many seeds of the sampler each; every training is one recorded with
`recording.py`. Shares are of the hypervolume of the whole table, on validation, the reference point as in
every study (`search/study/front.py`): accuracy 0 and the costs of the unpruned resnet20. Prints Markdown and writes
`benchmarks/results/search_replay.md`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median, quantiles

import optuna
import torch

from benchmarks.machine import machine
from benchmarks.search.recording import recorded
from benchmarks.search.searches import Ours, Plain
from benchmarks.search.workers import ENOUGH, WORKERS, Course, best

RESULTS = Path(__file__).parents[1] / "results" / "search_replay.md"
SHARES = (0.8, 0.9, 0.95, 0.97, 0.99)
BASE = "plain, TPE"
BARS = {0.95: 4, 0.97: 5}
"""Times fewer compute seconds than `BASE`."""


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed)


def _nsga2(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seed)


def _random(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


SEARCHES: dict[str, Callable[[int, float], Course]] = {
    "ours": Ours(),
    "ours, a point a trial": Ours(curves=False),
    "ours, nothing shared": Ours(shared=False),
    "ours, no early stop": Ours(early_stopping=False),
    "ours, TPE": Ours("tpe"),
    "ours, TPE told of one point a curve": Ours("tpe", tell_all=False),
    "ours, GPSampler": Ours("gp"),
    "ours, random": Ours("random"),
    "ours, random, stopped by MO-ASHA": Ours("random", halving=True),
    BASE: Plain(_tpe),
    "plain, NSGA-II": Plain(_nsga2),
    "plain, random": Plain(_random),
    "plain, TPE, students kept": Plain(_tpe, cached=True),
    "ASHA on accuracy": Plain(_random, asha=True),
}


def carry_out(name: str, seed: int, seconds: float) -> tuple[Course, float]:
    """One search, and the wall seconds that its replay took."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    started = time.perf_counter()
    return SEARCHES[name](seed, seconds), time.perf_counter() - started


def until(course: Course, wanted: float) -> float:
    """Compute seconds to that hypervolume, infinite if the search ended before."""
    return next((seconds for seconds, volume in course if volume >= wanted), float("inf"))


def _cell(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = quantiles(values, method="inclusive") if len(values) > 1 else values * 3
    one = ["never" if value != value or value == float("inf") else f"{value:.0f}" for value in (middle, low, high)]
    return f"{one[0]} ({one[1]}-{one[2]})"


def report(found: dict[str, list[Course]]) -> str:
    """Markdown."""
    lines = [
        "| search | " + " | ".join(f"to {share:.0%}" for share in SHARES) + " | share at the end |",
        "|---" * (len(SHARES) + 2) + "|",
    ]
    for name, courses in found.items():
        cells = [_cell([until(course, share * best()) for course in courses]) for share in SHARES]
        lines.append(f"| {name} | {' | '.join(cells)} | {median(course[-1][1] for course in courses) / best():.3f} |")
    if "ours" in found and BASE in found:
        lines.append("")
        for share, bar in BARS.items():
            ours, plain = (median(until(c, share * best()) for c in found[name]) for name in ("ours", BASE))
            said = "more than the replay lasted" if plain == float("inf") else f"{plain / ours:.1f} times"
            lines.append(f"To {share:.0%} `{BASE}` takes {said} ours (bar: {bar} times).")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Replay, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--seconds", type=float, default=6000.0)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    found: dict[str, list[Course]] = {}
    jobs = [(name, seed, chosen.seconds) for name in chosen.only for seed in range(chosen.seeds)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (name, seed, _), (course, wall) in zip(jobs, pool.map(carry_out, *zip(*jobs, strict=True)), strict=True):
            found.setdefault(name, []).append(course)
            print(f"\r{name} {seed}: {wall:.1f} s   ", end="", file=sys.stderr, flush=True)
            if len(found[name]) == chosen.seeds:
                chosen.out.write_text(_page(found, chosen.seeds, chosen.seconds))
    print(chosen.out.read_text())


def _page(found: dict[str, list[Course]], seeds: int, seconds: float) -> str:
    points = sum(map(len, recorded().values()))
    rows = f"{len(found)} of {len(SEARCHES)} searches" if len(found) < len(SEARCHES) else "all searches"
    return (
        f"# Compute seconds of a search, replayed\n\n`python -m benchmarks.search.replay --seeds {seeds} "
        f"--seconds {seconds:g}`, {rows}, on {machine()}.\n\n"
        f"{len(recorded()) - 1} recipes and {points} points of digits, each trained once; {WORKERS} workers. A search "
        f"ends with {ENOUGH:.1%} of the best hypervolume. Median and quartiles over {seeds} seeds of the sampler.\n\n"
        f"{report(found)}"
    )


if __name__ == "__main__":
    main()
