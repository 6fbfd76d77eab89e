"""What a search found, by compute second: recorded, read again, and asked when a hypervolume was reached.

A line of `benchmarks/recorded/efficiency-digits.jsonl` is one real search: who and with which seed, machine and date,
and of its points those that were on its front when they came, which are all that moves a hypervolume.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from search.study.front import DEFAULT_OBJECTIVES, GrowingFront
from search.study.record import Point

RECORDED = Path(__file__).parents[1] / "recorded" / "efficiency-digits.jsonl"


@dataclass(frozen=True)
class Came:
    """A point that was on the front when it came, after `compute` seconds; accuracy on validation, in [0, 1]."""

    compute: float
    accuracy: float
    params: int
    macs: int

    @property
    def point(self) -> Point:
        """As `search.study.front` takes it."""
        figures = {"score_validation": self.accuracy, "params": self.params, "flops": 2 * self.macs}
        return cast(Point, SimpleNamespace(measured=SimpleNamespace(**figures)))


@dataclass(frozen=True)
class Course:
    """One search: `points` it made in all, `compute` and `wall` seconds it took, and the points that moved its front.

    `reference` has the worst of each objective, as `search.study.front.hypervolume` takes it.
    """

    search: str
    seed: int
    machine: str
    trials: int
    points: int
    compute: float
    wall: float
    reference: Mapping[str, float]
    came: tuple[Came, ...]

    def until(self, wanted: float) -> float | None:
        """Compute seconds to that hypervolume, None if the search ended before."""
        best = GrowingFront(DEFAULT_OBJECTIVES, self.reference)
        for one in self.came:
            if best.add(one.point) and best.hypervolume >= wanted:
                return one.compute
        return None


def hypervolume(courses: Iterable[Course]) -> float:
    """Of all that these searches found together; their reference is one."""
    courses = list(courses)
    best = GrowingFront(DEFAULT_OBJECTIVES, courses[0].reference)
    for course in courses:
        for one in course.came:
            best.add(one.point)
    return best.hypervolume


def moving(found: Iterable[Came], reference: Mapping[str, float]) -> tuple[Came, ...]:
    """Return the points on the front when they came."""
    best = GrowingFront(DEFAULT_OBJECTIVES, reference)
    return tuple(one for one in found if best.add(one.point))


def read(file: Path = RECORDED) -> dict[tuple[str, int], Course]:
    """By search and seed; of two lines the later."""
    if not file.exists():
        return {}
    return {(one.search, one.seed): one for one in map(_course, file.read_text().splitlines())}


def write(course: Course, file: Path = RECORDED) -> None:
    """Add a line."""
    fields = {**asdict(course), "came": [list(asdict(one).values()) for one in course.came]}
    with file.open("a") as out:
        out.write(json.dumps(fields) + "\n")


def _course(line: str) -> Course:
    fields: dict[str, Any] = json.loads(line)
    return Course(**{**fields, "came": tuple(Came(*one) for one in fields["came"])})
