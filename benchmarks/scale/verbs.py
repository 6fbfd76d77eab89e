"""How long the verbs take that look at a long study, typed in a terminal: the command whole, from start to exit."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bars import Row
from benchmarks.scale.idle import POINTS
from benchmarks.scale.replay import ByChance, begun, replay, silent

VERBS = ("studies", "status long", "front long", "trials long", "show long", "select long --max-params 10%")
TIMED = ("studies", "status long", "front long")
"""Verbs with a bar."""
BAR_S, CALLS = 2.0, 5


def verb_rows(home: Path, trials: int) -> Iterator[Row]:
    """The median time of each verb on a study of so many trials."""
    driver = begun(home, "long", ByChance, trials)
    silent(driver, trials)
    replay(driver)
    driver.close()
    for words in VERBS:
        took = statistics.median(_seconds(words, home) for _ in range(CALLS))
        bar, met = (f"under {BAR_S:g} s", took < BAR_S) if words in TIMED else ("", None)
        yield Row(f"`paretune {words}`, {trials:,} trials of {POINTS} points", bar, f"{took:.2f} s", met)


def _seconds(words: str, home: Path) -> float:
    program = Path(sys.executable).with_name("paretune")
    start = time.perf_counter()
    subprocess.run([program, *words.split(), "--home", str(home)], check=True, capture_output=True)
    return time.perf_counter() - start
