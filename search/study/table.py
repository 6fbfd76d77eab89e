"""A table of a study's figures as a value: rows, columns, cells with means over seeds, and what is not in the cells.

`search.study.tabulate` makes a table, `paretune.table_text` writes it down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.figures import Figure
from search.study.axes import shown
from search.study.record import Choice, JsonDict, Point
from search.study.table_figures import figure_key, is_better

Key = tuple[Choice, ...]
"""The values of a row's or a column's names."""
Place = tuple[Key, Key]
"""Row and column of a cell."""


@dataclass(frozen=True)
class Cell:
    """The figure of one recipe at one place of the table.

    `mean` is over `points`, a point a seed. `deviation` is the sample standard deviation, None with one seed. `recipes`
    counts the recipes at the place. `is_best`: no cell of the column has a better mean.
    """

    mean: float
    deviation: float | None
    points: tuple[Point, ...]
    recipes: int = 1
    is_best: bool = False

    @property
    def seeds(self) -> int:
        """Return the number of seeds."""
        return len(self.points)

    def as_json(self) -> JsonDict:
        """Return mean, deviation, counts and the ids of the points."""
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "seeds": self.seeds,
            "recipes": self.recipes,
            "is_best": self.is_best,
            "points": [point.id for point in self.points],
        }


@dataclass(frozen=True)
class StudyTable:
    """The table of a study: `cells` by place; a place without a cell has no model.

    `row_names` and `column_names` are names of `search.study.axes`, `rows` and `columns` their values in order. `only`
    are the restrictions as typed. `differ` are the names that tell apart the recipes at a place, `left_out` counts
    models by the name they lack, `teacher` is the plain teacher's cell, `running` counts trials. `mixed` is a
    sentence on latencies of several devices, "" otherwise.
    """

    study: str
    figure: Figure
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    rows: tuple[Key, ...]
    columns: tuple[Key, ...]
    cells: Mapping[Place, Cell]
    only: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()
    left_out: Mapping[str, int] | None = None
    teacher: Cell | None = None
    running: int = 0
    mixed: str = ""

    @property
    def missing(self) -> list[Place]:
        """Return the places without a model, row by row."""
        return [(row, column) for row in self.rows for column in self.columns if (row, column) not in self.cells]

    @property
    def seeds(self) -> tuple[int, int]:
        """Return the least and the greatest number of seeds of a cell."""
        counts = [cell.seeds for cell in self.cells.values()]
        return min(counts), max(counts)

    def row_words(self, row: Key) -> tuple[str, ...]:
        """Return the values of a row in words."""
        return _words(self.row_names, row)

    def column_words(self, column: Key) -> tuple[str, ...]:
        """Return the values of a column in words."""
        return _words(self.column_names, column)

    def named(self, place: Place) -> dict[str, Choice]:
        """Return the value of every name at a place."""
        return dict(zip((*self.row_names, *self.column_names), (*place[0], *place[1]), strict=True))

    def as_json(self) -> JsonDict:
        """Return the form printed by `paretune table --json`; cells and missing places carry their names' values."""
        return {
            "study": self.study,
            "value": figure_key(self.figure),
            "title": self.figure.axis,
            "better": is_better(self.figure),
            "rows": list(self.row_names),
            "columns": list(self.column_names),
            "only": list(self.only),
            "cells": [{"at": self.named(place), **self.cells[place].as_json()} for place in self.places],
            "missing": [self.named(place) for place in self.missing],
            "recipes_differ_in": list(self.differ),
            "left_out": dict(self.left_out or {}),
            "teacher": self.teacher and self.teacher.as_json(),
            "running": self.running,
            "note": self.mixed,
        }

    @property
    def places(self) -> list[Place]:
        """Return the places with a cell, row by row."""
        return [(row, column) for row in self.rows for column in self.columns if (row, column) in self.cells]


def _words(names: Sequence[str], key: Key) -> tuple[str, ...]:
    return tuple(shown(name, value) for name, value in zip(names, key, strict=True))
