"""One search in which every registered method has its turn: does it finish without a failed trial?

    python -m benchmarks.every_method [--home DIR] [--out FILE]

On digits, with the training of a search. Every distillation method makes a student and recovers a pruned network, every
pruning and low-rank method cuts one, and half of the recipes end in int8. Prints a table, a method a row, and writes it
to `benchmarks/results/every_method.md`; exit code 1 when a trial failed or a method is in no complete one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paretune
from benchmarks.machine import machine
from compress.codec import METHODS
from compress.distill import DISTILLERS
from compress.lowrank import FACTORIZERS
from compress.pruning import PRUNERS, SCHEDULES
from search.study.record import StudyRecord
from spaces import SPACES
from spaces.space import Value

RESULTS = Path(__file__).parent / "results" / "every_method.md"
NAME = "every-method"


def turns() -> Iterator[dict[str, Value]]:
    """Choices of the joint space, so that each method is in at least one."""
    pruners, schedules = list(PRUNERS), list(SCHEDULES)
    shared: dict[str, Value] = {"student": "cnn", "width": 0.5, "sparsity": 0.8, "lr": 0.05}
    for place in range(max(len(DISTILLERS), len(pruners))):
        distiller = list(DISTILLERS)[place % len(DISTILLERS)]
        cut: dict[str, Value] = {"schedule": schedules[place % len(schedules)], "int8": place % 2 == 0}
        one, other = pruners[place % len(pruners)], pruners[(place + 5) % len(pruners)]
        taught: dict[str, Value] = {"teacher": "resnet20", "distiller": distiller, "recovery": "all"}
        yield {**shared, "order": "distill-prune", **taught, **cut, "pruner": one}
        yield {**shared, "order": "prune-distill", "recovery distiller": distiller, **cut, "pruner": other}
    for factorizer in FACTORIZERS:
        yield {**shared, "order": "lowrank", "factorizer": factorizer, "recovery": "all", "int8": True}


def rows(study: StudyRecord) -> Iterator[tuple[str, str, int, int, int]]:
    """Kind and name of every method; its complete trials, its failed ones, the points of all."""
    used = {trial.id: json.dumps(trial.recipe) for trial in study.trials}
    for kind, methods in METHODS.items():
        for name in methods:
            mine = [t for t in study.trials if f'"type": "{name}"' in used[t.id]]
            complete, failed = (sum(t.status == status for t in mine) for status in ("complete", "failed"))
            yield kind, name, complete, failed, sum(len(t.points) for t in mine)


def main() -> None:
    """Search, print and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--home", type=Path)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    beginnings = tuple(turns())
    SPACES[NAME] = replace(SPACES["joint"], beginnings=beginnings)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        home, trials = chosen.home or Path(folder), 1 + len(beginnings)
        study = paretune.search(NAME, home=home, space=NAME, trials=trials, sampler="random")
        seconds = time.perf_counter() - start
    found = list(rows(study))
    failed = [trial for trial in study.trials if trial.status != "complete"]
    text = (
        f"# Every method has its turn\n\n`python -m benchmarks.every_method` on {machine()}.\n\n"
        f"{len(study.trials)} trials on digits in {seconds:.0f} s, {len(study.points)} points, "
        f"{len(failed)} trials that are not complete.\n\n"
        "| kind | method | complete trials | failed | points |\n|---|---|---|---|---|\n"
        + "".join(f"| {' | '.join(map(str, row))} |\n" for row in found)
        + "".join(f"\nTrial {trial.id}: {trial.status}, {trial.reason}\n" for trial in failed)
    )
    chosen.out.write_text(text)
    print(text)
    sys.exit(1 if failed or any(not complete for _, _, complete, _, _ in found) else 0)


if __name__ == "__main__":
    main()
