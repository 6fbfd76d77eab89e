"""A thousand workers on one driver, simulated: the driver's work is really done and timed, the trainings only wait.

Time is simulated. A worker's message waits until the driver is free, and then holds it for as long as the real driver,
Optuna study and ledger take over it here and now. How long trials last and when their points come is a table
recorded from a real study (`python -m benchmarks.scale.simulation STUDY [HOME]` makes it).
"""

from __future__ import annotations

import heapq
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bars import Row
from benchmarks.scale.replay import ByChance, begun, made_up, silent
from search.running.driver import Driver
from search.running.job import Job
from search.sampling.optuna_study import OptunaStudy
from search.study.ledger import Ledger

TABLE = Path(__file__).parents[1] / "recorded" / "durations-digits.json"
Curve = list[tuple[float, int]]
"""Messages of one trial: seconds since its start, points that come with it; the last one is its end."""


@dataclass(frozen=True)
class Busy:
    """What came of a simulation: shares of time in [0, 1], and the seconds that a trial holds the driver."""

    workers: float
    driver: float
    trial_s: float


def record(ledger: Ledger) -> list[Curve]:
    """The messages of every finished trial of a study, from the times in its ledger."""
    points: dict[int, Counter[float]] = {}
    found: list[Curve] = []
    for event in ledger.events():
        if event["event"] == "point":
            points.setdefault(event["trial"], Counter())[round(event["time"])] += 1  # a message a second, at most
        elif event["event"] == "ended" and event["status"] == "complete":
            begun, came = event["time"] - event["seconds"], points[event["trial"]]
            messages = [(min(max(0.0, at - begun), event["seconds"]), count) for at, count in came.items()]
            found.append([(round(at, 1), count) for at, count in (*messages, (event["seconds"], 0))])
    return found


def simulate(driver: Driver, curves: list[Curve], workers: int) -> Busy:
    """Run the driver out of trials; shares are of the time from the last worker's first trial to the last trial.

    A worker goes on only when its message has been heard, as with Tune.
    """
    events: list[tuple[float, int]] = [(0.0, worker) for worker in range(workers)]
    state: dict[int, Running] = {}
    pieces: list[tuple[float, float]] = []
    held: list[tuple[float, float]] = []
    starts: list[float] = []
    free = 0.0
    while events:
        at, worker = heapq.heappop(events)
        now = max(at, free)
        start = time.perf_counter()
        running = state.get(worker)
        if running is not None and running.hear(driver):
            running = None
        if running is None:
            job = driver.next()
        free = now + time.perf_counter() - start
        held.append((now, free))
        if running is None:
            if job is None:
                continue
            running = state[worker] = Running(job, curves[job.trial % len(curves)], driver)
            starts.append(free)
        pieces.append((free, free + running.until_next))
        heapq.heappush(events, (free + running.until_next, worker))
    window = starts[workers - 1], starts[-1]
    held_s = overlap(held, window)
    return Busy(overlap(pieces, window) / workers, held_s, held_s * (window[1] - window[0]) / (len(starts) - workers))


class Running:
    """A trial on a simulated worker."""

    def __init__(self, job: Job, curve: Curve, driver: Driver) -> None:
        self.trial, self.curve, self.heard = job.trial, curve, 0
        self.points = made_up(job, driver.task, sum(count for _, count in curve))

    @property
    def until_next(self) -> float:
        """Seconds of work before the next message."""
        return self.curve[self.heard][0] - (self.curve[self.heard - 1][0] if self.heard else 0.0)

    def hear(self, driver: Driver) -> bool:
        """Tell the driver what this message says; whether it is the last."""
        count = self.curve[self.heard][1]
        self.heard += 1
        if count:
            driver.add(self.trial, self.points[:count])
            del self.points[:count]
        if self.heard < len(self.curve):
            return False
        driver.end(self.trial, "complete", "", self.curve[-1][0], {"train": self.curve[-1][0]})
        return True


def overlap(spans: list[tuple[float, float]], window: tuple[float, float]) -> float:
    """Sum of the spans inside the window, in windows."""
    inside = (min(end, window[1]) - max(start, window[0]) for start, end in spans)
    return sum(max(0.0, length) for length in inside) / (window[1] - window[0])


def simulation_rows(home: Path, trials: int, workers: int) -> Iterator[Row]:
    """As recorded, asked at random; a tenth of it asked of TPE, which takes ever longer."""
    curves = [[(float(at), int(count)) for at, count in curve] for curve in json.loads(TABLE.read_text())]
    mean = statistics.fmean(curve[-1][0] for curve in curves)
    messages = statistics.fmean(len(curve) for curve in curves)
    for name, optuna_study, share in (("at random", ByChance, 1), ("of TPE", OptunaStudy, 10)):
        count, at_once = trials // share, workers // share
        driver = begun(home, f"simulated-{name.split()[-1]}", optuna_study, count)
        silent(driver, count)
        found = simulate(driver, curves, at_once)
        yield Row(
            f"{at_once:,} workers simulated, {count:,} trials asked {name}, as {len(curves)} recorded on digits "
            f"({mean:.1f} s and {messages:.1f} messages in the mean)",
            "workers over 90 % busy" if share == 1 else "",
            f"{found.workers:.0%} busy, the driver {found.driver:.0%}; a trial holds it for "
            f"{1000 * found.trial_s:.0f} ms, "
            f"enough for {mean / found.trial_s:.0f} such workers, or for {workers:,} if trials last "
            f"{workers * found.trial_s:.0f} s",
            found.workers > 0.9 if share == 1 else None,
        )


def main() -> None:
    """Record a table: `python -m benchmarks.scale.simulation STUDY [HOME]`."""
    home = Path(sys.argv[2] if len(sys.argv) > 2 else "paretune-runs")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(record(Ledger(home / "studies" / sys.argv[1]))) + "\n")


if __name__ == "__main__":
    main()
