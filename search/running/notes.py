"""Notes of a search: the first note of each kind, and the number of notes of the kind."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from compress.recipe import Recipe
from search.study.endings import BY_REQUEST
from search.study.front import Place, measured_on, mixed
from search.study.record import Point

VARIES = re.compile(
    rf"\btrial \d+\b(?! {BY_REQUEST})"  # the trial, but for one that somebody stopped
    r"|\b[0-9a-f]{32}\b"  # the key of a point
    r"|(?<![\w.])(?:\d{3,}|\d?\.\d{3,}|\d[\d.]*e[-+]\d+|\d[\d.]* ?%)(?![\w.])"  # counts and shares; 0.12 may be a layer
    r"|(?<=got )\d[\d.]*"
    r"|\(\d+\)|\[\d+(?:, \d+)*\]"  # sizes, as torch says them
)
"""Parts in which notes of the same kind may differ."""


class Notes:
    """Counts notes by their kind; the first of a kind stands for all."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._times: dict[str, int] = {}
        self._heard = 0

    def hear(self, notes: Sequence[str]) -> list[str]:
        """Count the new notes at the end of a growing list; return the first note of each new kind."""
        known, new = len(self._first), notes[self._heard :]
        for note in new:
            kind = VARIES.sub("#", note)
            self._first.setdefault(kind, note)
            self._times[kind] = self._times.get(kind, 0) + 1
        self._heard += len(new)
        return list(self._first.values())[known:]

    def all(self) -> list[str]:
        """Return the first note of every kind, in order, with the number of times if it came more than once."""
        return [f"{note} ({times} times)" if times > 1 else note for note, times in self._counted()]

    def _counted(self) -> list[tuple[str, int]]:
        return [(note, self._times[kind]) for kind, note in self._first.items()]

    def repeated(self) -> list[str]:
        """Return the first note of every kind that came more than once, with the number of times."""
        return [f"{times} times: {note}" for note, times in self._counted() if times > 1]


class MixedDevices:
    """Notes once, where latency is an objective, that points of two devices cannot be compared."""

    def __init__(self, objectives: Sequence[str], points: Iterable[Point]) -> None:
        self.objectives = objectives
        self._places: dict[Place, Point] = {measured_on(point, objectives): point for point in points}

    def notes_on(self, added: Point) -> list[str]:
        """Return the note on a second device, with the first point of that device; else nothing."""
        known = len(self._places)
        self._places.setdefault(measured_on(added, self.objectives), added)
        if not known == 1 < len(self._places):
            return []
        first = next(iter(self._places.values())).measured
        return [
            f"{mixed(self._places.values(), self.objectives)}, and only those of {first.device} decide what is tried "
            "next; give the search nodes of one kind, or --objectives without latency_ms"
        ]


class KeptWarnings(logging.Handler):
    """Keeps warnings: nobody sees the prints of an actor."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the warning's text."""
        self.said.append(record.getMessage())

    def take(self) -> list[str]:
        """Return the warnings since the last call."""
        said, self.said = self.said, []
        return said


def keep_warnings() -> KeptWarnings:
    """Keep the warnings of `compress`: a single handler an actor, replaced from trial to trial."""
    logger = logging.getLogger("compress")
    for handler in [h for h in logger.handlers if isinstance(h, KeptWarnings)]:
        logger.removeHandler(handler)
    notes = KeptWarnings()
    logger.addHandler(notes)
    return notes


def untouched(point: Point) -> list[str]:
    """Return the quality of a network measured as it came, to compare with its owner's own figure; [] if trained."""
    recipe = Recipe.from_json(point.recipe)
    lesson = recipe.stages[0].lesson
    if len(recipe.stages) > 1 or lesson is None or lesson.training.epochs:
        return []
    text, m = point.quality.text, point.measured
    validation, test = (text(point.quality.value(score)) for score in (m.score_validation, m.score_test))
    return [f"{recipe.student} as it is: {point.quality.name} {validation} on validation, {test} on test"]
