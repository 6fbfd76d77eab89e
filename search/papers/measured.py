"""Figures of stored models beside those of a point: times by batch, quality on corrupted test images.

All times asked for are taken together, in turns: the machine's noise falls on every model alike. Every figure
is kept in a file beside the tables, a line each, under the point's id: the next evaluation measures new figures only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from torch import nn

from compress.corruptions import SEVERITY
from compress.data.tasks import Task
from compress.inspection.robustness import robustness
from compress.inspection.speed import times
from compress.measure import device_name, machine_name
from compress.store.bucket import open_store
from compress.training.loop import training_device
from search.papers.values import BESIDE
from search.study.record import Point, StudyRecord

FILE = "measured.jsonl"
Progress = Callable[[str, int, int], None]
"""Hears of the present work: what, done, of how many."""
Asked = tuple[str, str]
"""A point's id and a figure."""


class Measured:
    """Figures by point and name, from the file in `folder`; `asked` collects missing figures."""

    def __init__(self, record: StudyRecord, folder: Path) -> None:
        self.record, self._file = record, folder / FILE
        self.asked: dict[Asked, Point] = {}
        self._known: dict[Asked, float] = {}
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                try:
                    found = json.loads(line)
                    self._known[found["point"], found["figure"]] = float(found["value"])
                except (ValueError, LookupError, TypeError):  # a line cut short is measured again
                    continue

    def __call__(self, point: Point, figure: str) -> float | None:
        """Return the figure of the point. A missing figure is None, and is noted in `asked`."""
        known = self._known.get((point.id, figure))
        if known is None:
            self.asked[point.id, figure] = point
        return known

    def measure(self, task: Task, on_progress: Progress = lambda what, done, of: None) -> None:
        """Measure the figures in `asked`; figures of models gone from the store stay missing."""
        corrupted = {asked: point for asked, point in self.asked.items() if not asked[1].startswith("ms")}
        by_point: dict[str, list[str]] = {}
        for key, figure in corrupted:
            by_point.setdefault(key, []).append(figure.partition(BESIDE)[2])
        for done, (key, names) in enumerate(by_point.items()):
            on_progress("corrupted test images", done, len(by_point))
            model = self._model(key)
            if model is None:
                continue
            found = robustness(model.to(task.test.device), task, names, SEVERITY)["corrupted"]
            self._keep((key, f"test{BESIDE}{name}", value) for name, value in found.items())
        for figure in sorted({figure for _, figure in self.asked if figure.startswith("ms")}):
            on_progress(f"time of batches of {figure.partition(BESIDE)[2]}", 0, 1)
            self._time(figure, [key for key, asked in self.asked if asked == figure], task)
        self.asked.clear()

    def _time(self, figure: str, keys: list[str], task: Task) -> None:
        batch = int(figure.partition(BESIDE)[2])
        models = {key: model for key in keys if (model := self._model(key)) is not None}
        if models:
            found = times(models, task.shape, [batch], training_device())
            self._keep((key, figure, each[batch]) for key, each in found.items())

    def _model(self, key: str) -> nn.Module | None:
        entry = open_store(self.record.store).get(key)
        return None if entry is None else entry.files().module()

    def _keep(self, found: Iterable[tuple[str, str, float]]) -> None:
        place = {"device": device_name(training_device()), "machine": machine_name()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            for key, figure, value in found:
                self._known[key, figure] = value
                file.write(json.dumps({"point": key, "figure": figure, "value": value, **place}) + "\n")
