"""What a long study costs its driver: time and memory of the last trials, front and hypervolume of many points."""

from __future__ import annotations

import gc
import os
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.bars import Row
from benchmarks.scale.replay import ByChance, begun, replay, silent
from compress.measurement import Measurement
from search.sampling.optuna_study import OptunaStudy
from search.study.front import DEFAULT_OBJECTIVES, GrowingFront, front, hypervolume
from search.study.record import Point, StudyRecord

REFERENCE = {"accuracy": 0.0, "params": 1e6, "flops": 2e8}


def replay_rows(home: Path, trials: int) -> Iterator[Row]:
    """The last tenth of a replayed study against its first."""
    tenth = trials // 10
    memory: dict[int, int] = {}
    driver = begun(home, "chance", ByChance, trials)
    silent(driver, trials)

    def mark(record: StudyRecord) -> None:
        if len(record.trials) in (tenth, trials):
            gc.collect()
            memory[len(record.trials)] = resident()

    seconds = replay(driver, mark)
    first, last = (1000 * statistics.fmean(part) for part in (seconds[:tenth], seconds[-tenth:]))
    grown = (memory[trials] - memory[tenth]) / (trials - tenth) / 1000
    yield Row(
        f"last {tenth:,} of {trials:,} replayed trials of 12 points against the first {tenth:,}, asked at random",
        "at most twice the overhead, under 50 kB of driver memory a trial",
        f"{first:.1f} ms a trial, then {last:.1f} ms ({last / first:.2f} times); {grown:.0f} kB a trial",
        last <= 2 * first and grown < 50,
    )


def tpe_rows(home: Path, trials: int) -> Iterator[Row]:
    """The same with Optuna's TPE, whose own thinking grows with what it is told; shorter, for that reason."""
    driver = begun(home, "tpe", OptunaStudy, trials)
    silent(driver, trials)
    seconds = replay(driver)
    tenth = max(1, trials // 10)
    first, last = (1000 * statistics.fmean(part) for part in (seconds[:tenth], seconds[-tenth:]))
    yield Row(
        f"the same for {trials:,} trials asked of TPE",
        "",
        f"{first:.0f} ms a trial, then {last:.0f} ms, with {12 * trials:,} observations",
    )


def front_rows(points: int) -> Iterator[Row]:
    """Points drawn so that few beat each other: accuracy is paid for with params, FLOPs follow params loosely."""
    drawn = trade_offs(points)
    growing = GrowingFront(DEFAULT_OBJECTIVES, REFERENCE)
    seconds = []
    for point in drawn:
        start = time.perf_counter()
        growing.add(point)
        _ = growing.hypervolume
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    whole, volume = front(drawn, DEFAULT_OBJECTIVES), hypervolume(drawn, DEFAULT_OBJECTIVES, REFERENCE)
    batch = 1000 * (time.perf_counter() - start)
    same = whole == growing.points and volume == growing.hypervolume
    late = 1000 * np.array(seconds[-1000:])
    yield Row(
        f"front and hypervolume after each point at {points:,} points, {len(whole)} of them on the front",
        "kept incrementally, under 10 ms",
        f"of the last 1,000: {late.mean():.2f} ms in the mean, 99 % within "
        f"{np.percentile(late, 99):.1f}, at most {late.max():.1f} (computed anew {batch:.0f} ms); "
        + ("equal to the batch" if same else "not equal to the batch"),
        bool(late.max() < 10 and same),
    )


def trade_offs(count: int) -> list[Point]:
    """Random points of three objectives, whose fronts have hundreds of members."""
    draw = random.Random(0)
    points = []
    for number in range(count):
        size = draw.random()
        accuracy = 1 - (1 - size) ** 2 * 0.9 - 0.4 * draw.random() ** 2
        params, macs = int(1e6 * size) + 10, int(1e8 * size ** (0.5 + draw.random())) + 10
        figures = Measurement(
            max(0.0, accuracy), 0.5, params, params, macs, 4 * params, 3 * params, 0.2, 0.3, "none", 1, 0.1
        )
        points.append(Point(str(number), number, {}, 0.0, "float", figures, ""))
    return points


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
