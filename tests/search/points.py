"""Points of a study, and models by seeds."""

import itertools
import re
from dataclasses import replace

from compress.measurement import Measurement
from search.study.record import Point

NUMBERS = itertools.count()


def unnamed(said: str) -> str:
    """Return a sentence without the ids of points, which are other ones in every run."""
    return re.sub(r"point \w+ \((trial \d+ at [\d.]+%)(?:, (\w+))?\)", r"\1", said)


def point(
    accuracy: float = 0.9,
    params: int = 100,
    macs: int = 1000,
    *,
    size: int = 400,
    trial: int = 1,
    test: float = 0.5,
    ms: float = 1.0,
) -> Point:
    """Of a trial at 60 %; `accuracy` is that on validation."""
    measured = Measurement(accuracy, test, params, params, macs, size, size, ms, ms, "cpu", 1, 1.0)
    return Point(f"{next(NUMBERS)}", trial, {}, 0.6, "float", measured, "")


def seeds(*accuracies: float, params: tuple[int, ...] = (100,), trial: int = 1) -> list[Point]:
    """One model by seeds 0, 1, 2 ...; the last of the `params` is that of all further seeds."""
    made = [point(a, params[min(n, len(params) - 1)], trial=trial) for n, a in enumerate(accuracies)]
    return [replace(p, recipe={"seed": n}, family=made[0].id if n else "") for n, p in enumerate(made)]


CURVE = [point(0.5, 10, trial=1), point(0.9, 100, trial=2), point(0.95, 1000, trial=3), point(0.96, 10_000, trial=4)]
