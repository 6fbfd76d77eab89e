"""Workers that train nothing: the real worker's steps around points that are made up.

This module imports nothing that the workers of a search do not import: a worker's start is measured too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from compress.data.tasks import Task, load_task
from compress.measurement import Measurement
from compress.pipeline import Made
from compress.plan import plan
from compress.recipe import Recipe
from search.running.job import Job
from search.running.worker import Compression
from search.study.record import point_event

TASK = "digits"
POINTS = 12


def made_up(job: Job, task: Task, count: int = POINTS) -> list[dict[str, Any]]:
    """A falling curve of that many points under the keys of the recipe's plan; the same figures under the same key."""
    keys = [step.key for step in plan(Recipe.from_json(job.recipe), task.fingerprint)]
    keys += [f"{job.trial:032d}{number:032d}" for number in range(len(keys), count)]
    draw = random.Random(keys[0])
    size, best = draw.randrange(2_000, 270_000), 0.5 + 0.5 * draw.random()
    points = []
    for number, key in enumerate(keys[:count]):
        draw = random.Random(key)
        sparsity = 0.95 * number / max(1, count - 1)
        params = int(size * (1 - sparsity)) + 10
        accuracy = max(0.1, best * (1 - sparsity ** (2 + 4 * draw.random())))
        figures = Measurement(
            score_validation=accuracy,
            score_test=accuracy,
            params=params,
            nonzero_params=params,
            macs=params * draw.randrange(5, 50),
            size_bytes=4 * params,
            compressed_bytes=3 * params,
            latency_ms=0.2,
            latency_p95_ms=0.3,
            device="none",
            threads=1,
            seconds=0.1,
        )
        points.append(point_event(key, sparsity, "float", figures))
    return points


class Nothing(Compression):
    """The worker's steps around points that cost nothing."""

    pause_s = 0.0

    def _points(self) -> Iterator[Made]:
        if self.points is None:
            self.points = self._make()
        return self.points

    def _make(self) -> Iterator[Made]:
        for point in made_up(self.job, load_task(TASK)):
            time.sleep(self.pause_s / POINTS)
            figures = Measurement(**point["measured"])
            yield Made(point["id"], point["sparsity"], point["variant"], figures, point["path"], known=False)


class Second(Nothing):
    """Sleeps for a second in all."""

    pause_s = 1.0
