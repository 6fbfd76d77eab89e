"""A paper's tables, filled: the mean and the deviation over seeds of every cell, and the published figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from compress.figures import Figure
from compress.quality import ACCURACY, Quality
from search.papers.values import Values
from search.study.record import JsonDict
from spaces.papers.paper import Cell, Paper, Table
from spaces.published import Published, load

FACTORS = {"%": 0.01, "points": 0.01, "1e7 params": 1e7, "1e6 params": 1e6, "1e3 params": 1e3, "MB": 1e6}
"""Units of published figures in our own units; all other units are the same."""
ACCURACIES = ("%", "points", "share")
"""Units of published accuracies."""


@dataclass(frozen=True)
class Entry:
    """A cell of a filled table: values and ids of points by seed, and the published figure, None without one."""

    cell: Cell
    figure: Figure
    values: Mapping[int, float]
    points: Mapping[int, str]
    published: Published | None

    @property
    def known(self) -> float | None:
        """Return the published figure in the unit of ours: shares in [0, 1], counts, bytes; None without a figure."""
        return None if self.published is None else self.published.value * FACTORS.get(self.published.unit, 1.0)

    @property
    def mean(self) -> float | None:
        """Return the mean over seeds; None before any seed has a value."""
        return fmean(self.values.values()) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Return the sample standard deviation over seeds, None with fewer than two."""
        return stdev(self.values.values()) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Filled:
    """A table of a paper with the values of a study; `entries` by row and column."""

    table: Table
    entries: Mapping[tuple[str, str], Entry]

    @property
    def missing(self) -> int:
        """Return the number of cells without a value."""
        return sum(entry.mean is None for entry in self.entries.values())

    def as_json(self) -> JsonDict:
        """Return number, title and cells, with values by seed."""
        return {
            "number": self.table.number,
            "title": self.table.title,
            "cells": [
                {
                    "row": row,
                    "column": column,
                    "figure": entry.cell.figure,
                    "mean": entry.mean,
                    "deviation": entry.deviation,
                    "by_seed": {str(seed): value for seed, value in entry.values.items()},
                    "points": {str(seed): point for seed, point in entry.points.items()},
                    "published": entry.known,
                }
                for (row, column), entry in self.entries.items()
            ],
        }


def fill(paper: Paper, task: str, values: Values) -> tuple[Filled, ...]:
    """Return the paper's tables for a task, filled from a study; a partly run grid leaves cells without a value."""
    known, quality = load(paper.name), values.record.quality

    def entry(table: Table, row: str, column: str, cell: Cell) -> Entry:
        published, figure = known.get(table.published_at(row, column)), values.figure(cell.figure)
        if published is not None and figure.split and not _is_of(published, quality):
            published = None
        points = {seed: point.id for seed, point in values.points(cell).items()}
        return Entry(cell, figure, values.of(cell), points, published)

    return tuple(
        Filled(table, {place: entry(table, *place, cell) for place, cell in table.cells.items()})
        for table in paper.tables(task)
    )


def _is_of(published: Published, quality: Quality) -> bool:
    """Return whether a published quality can stand beside values of the study's: an accuracy, or of the same unit."""
    return quality == ACCURACY if published.unit in ACCURACIES else published.unit == quality.unit
