"""A thousand workers on one driver, simulated: the driver's work is really done and timed, the trainings only wait.

Time is simulated. A worker's message waits until the driver is free, and then holds it for as long as the real driver,
Optuna study and ledger take over it here and now. New recipes are chosen beside the driver, as in a search, but only
while the driver is not held: Python runs one of two threads. How long trials last and when their points come is a table
recorded from a real study (`python -m benchmarks.scale.simulation STUDY [HOME]` makes it).
"""

from __future__ import annotations

import heapq
import json
import statistics
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.bars import Row
from benchmarks.scale.idle import made_up
from benchmarks.scale.replay import ByChance, begun, silent
from search.running.driver import Driver
from search.running.job import Job
from search.running.sources import NewRecipes
from search.sampling.auto import at_hand
from search.sampling.optuna_study import AUTO, OptunaStudy
from search.sampling.suggest import Answer
from search.study.ledger import Ledger

TABLE = Path(__file__).parents[1] / "recorded" / "durations-digits.json"
MINUTE = 60.0
Curve = list[tuple[float, int]]
"""Messages of one trial: seconds since the trial's start, number of points; the last message is the end."""


@dataclass(frozen=True)
class Busy:
    """What came of a simulation: shares of time in [0, 1], seconds that a trial holds the driver and is chosen in."""

    workers: float
    driver: float
    trial_s: float
    choice_s: float

    @property
    def each_s(self) -> float:
        """Seconds that a trial takes the driver's process: one thread runs at a time."""
        return self.trial_s + self.choice_s


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

    A worker goes on only when its message has been heard, as with Tune. A worker without a trial waits for the next
    choice; the driver does not, as on a cluster.
    """
    events: list[tuple[float, int]] = [(0.0, worker) for worker in range(workers)]
    state: dict[int, Running] = {}
    pieces: list[tuple[float, float]] = []
    held: list[tuple[float, float]] = []
    starts: list[float] = []
    free = 0.0
    choices = Choices(at_hand(workers))
    driver.sources = [Timed(source, choices) if isinstance(source, NewRecipes) else source for source in driver.sources]
    while events:
        at, worker = heapq.heappop(events)
        now = max(at, free)
        start = time.perf_counter()
        running = state.get(worker)
        if running is not None and running.hear(driver):
            running = None
        if running is None:
            job = driver.next()
        took = time.perf_counter() - start
        free, begins = choices.after(now, took)
        held.append((now, free))
        if running is None:
            if job is None:
                continue
            running = state[worker] = Running(job, curves[job.trial % len(curves)], driver)
            starts.append(begins)
        pieces.append((begins, begins + running.until_next))
        heapq.heappush(events, (begins + running.until_next, worker))
    window = starts[workers - 1], starts[-1]
    held_s = overlap(held, window)
    trial_s = held_s * (window[1] - window[0]) / (len(starts) - workers)
    return Busy(overlap(pieces, window) / workers, held_s, trial_s, choices.all_s / len(starts))


class Choices:
    """When the choices are made: one at a time, `ahead` of their use, and none while the driver is held."""

    def __init__(self, ahead: int) -> None:
        self.taken = deque([0.0] * ahead, ahead)
        self.made_at = 0.0
        self.seconds = self.all_s = 0.0

    def after(self, now: float, took: float) -> tuple[float, float]:
        """Return when the driver is free again, and when the worker it hears has a trial.

        The driver was held from `now` for `took` seconds, those of a choice included.
        """
        chosen, self.seconds = self.seconds, 0.0
        self.all_s += chosen
        free = now + took - chosen
        if self.made_at > now:
            self.made_at += took - chosen
        if not chosen:
            return free, free
        self.made_at = max(self.made_at, self.taken[0]) + chosen
        self.taken.append(max(free, self.made_at))
        return free, self.taken[-1]


class Timed:
    """A source whose seconds are counted as those of choices."""

    def __init__(self, source: NewRecipes, choices: Choices) -> None:
        self.source, self.choices, self.ahead = source, choices, source.ahead

    def next(self, known: Mapping[str, int]) -> Answer:
        """The source's answer."""
        start = time.perf_counter()
        answer = self.source.next(known)
        self.choices.seconds += time.perf_counter() - start
        return answer


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
    """As recorded, asked at random; of `auto`, trials of a minute; a tenth asked of TPE, which takes ever longer."""
    curves = [[(float(at), int(count)) for at, count in curve] for curve in json.loads(TABLE.read_text())]
    recorded = statistics.fmean(curve[-1][0] for curve in curves)
    messages = statistics.fmean(len(curve) for curve in curves)
    ways: tuple[tuple[str, Callable[..., OptunaStudy], int, float, float | None], ...] = (
        ("at random", ByChance, 1, recorded, 0.9),
        ("of auto", partial(OptunaStudy, sampler=AUTO), 1, MINUTE, 0.95),
        ("of TPE", OptunaStudy, 10, recorded, None),
    )
    for name, optuna_study, share, mean, bar in ways:
        count, at_once = trials // share, workers // share
        driver = begun(home, f"simulated-{name.split()[-1]}", optuna_study, count)
        silent(driver, count)
        longer = [[(at * mean / recorded, points) for at, points in curve] for curve in curves]
        found = simulate(driver, longer, at_once)
        yield Row(
            f"{at_once:,} workers simulated, {count:,} trials asked {name}, as {len(curves)} recorded on digits "
            f"({mean:.1f} s and {messages:.1f} messages in the mean)",
            "" if bar is None else f"workers over {100 * bar:g} % busy",
            f"{found.workers:.0%} busy, the driver {found.driver:.0%}; a trial holds it for "
            f"{1000 * found.trial_s:.0f} ms and is chosen in {1000 * found.choice_s:.0f} ms beside it, "
            f"enough for {mean / found.each_s:.0f} such workers, or for {workers:,} if trials last "
            f"{workers * found.each_s:.0f} s",
            None if bar is None else found.workers > bar,
        )


def main() -> None:
    """Record a table: `python -m benchmarks.scale.simulation STUDY [HOME]`."""
    home = Path(sys.argv[2] if len(sys.argv) > 2 else "paretune-runs")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(record(Ledger(home / "studies" / sys.argv[1]))) + "\n")


if __name__ == "__main__":
    main()
