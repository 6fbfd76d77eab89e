"""A training step of classification before goals and after: two processes, a checkout each, that take turns."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bars import Row
from benchmarks.goals.record import Record

HERE = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("timed_steps.py")
KEY = "speed"
SLOWER = 0.03
ROUNDS = 41
Child = subprocess.Popen[str]


def result(record: Record, before: Path) -> dict[str, Any]:
    """Return the result in the record, else measure."""
    return record.once(KEY, lambda home: measured(before))


def recorded(record: Record) -> dict[str, Any]:
    """Return the result in the record; Missing without."""
    return record.once(KEY, lambda home: {})


def measured(before: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the commits, and seconds of the processor a step by case: of `before` and of this checkout, a round each.

    In a round each case is timed in both processes, one right after the other, in an order drawn anew. The first
    round warms up and does not count. ValueError for a folder without the code, RuntimeError if a process ends.
    """
    check(before)
    names: list[str] = []
    draw = random.Random(0)
    with ExitStack() as stack:
        children = [stack.enter_context(_start(tree)) for tree in (before, HERE)]
        for child in children:
            names = _line(child).split("\t")
        found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
        for number in range(rounds + 1):
            for name in draw.sample(names, len(names)):
                for side in draw.sample((0, 1), 2):
                    seconds = _ask(children[side], name)
                    if number:
                        found[name][side].append(seconds)
    return {"before": _commit(before), "after": _commit(HERE), "seconds": found}


def check(before: Path) -> None:
    """Raise ValueError unless the folder has code to time."""
    if not (before / "benchmarks" / "steps.py").exists():
        raise ValueError(f"before: must be a checkout of Paretune, with benchmarks/steps.py, got {before}")


def rows(seconds: Mapping[str, Sequence[Sequence[float]]]) -> Iterator[Row]:
    """Yield a row a case: the median over rounds of the ratio of after to before, with the bar."""
    for name, (before, after) in seconds.items():
        ratios = sorted(late / early for early, late in zip(before, after, strict=True))
        low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
        told = (
            f"{median(ratios):.3f} times (half of {len(ratios)} rounds in {low:.3f} to {high:.3f}), "
            f"{1000 * median(before):.2f} and {1000 * median(after):.2f} ms"
        )
        yield Row(f"a step of {name}", f"at most {1 + SLOWER:g} times", told, median(ratios) <= 1 + SLOWER)


def _start(tree: Path) -> Child:
    """Start the program on the code of a checkout; the program ends when its input is closed."""
    environment = {**os.environ, "PYTHONPATH": str(tree.absolute()), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tree,
    )


def _ask(child: Child, name: str) -> float:
    assert child.stdin is not None
    child.stdin.write(name + "\n")
    child.stdin.flush()
    return float(_line(child))


def _line(child: Child) -> str:
    assert child.stdout is not None
    line = child.stdout.readline().rstrip("\n")
    if not line:
        raise RuntimeError(f"speed: a process must time steps, it ended with code {child.wait()}")
    return line


def _commit(tree: Path) -> str:
    """Return the short hash of a checkout."""
    command = ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
