"""Make a study's table: points are sorted into rows and columns, and means are taken over seeds.

Models that differ in the seed alone are one recipe. Of several recipes at a place the best on validation is shown, as
in a paper whose settings were chosen on validation. A model from before the cut belongs to every curve that begins
with it. The plain teacher, trial 0, is at no place, but told beside the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from compress.figures import LATENCY, Figure
from search.study.axes import Sorted, check_names, in_order, restricted, values_of
from search.study.front import mixed
from search.study.record import Choice, Point, StudyRecord
from search.study.seeds import Family
from search.study.table import Cell, Key, Place, StudyTable
from search.study.table_figures import figure_of, has, is_better


@dataclass
class _Recipe:
    """The points of one recipe at one place, by seed, and the first point's values."""

    points: dict[object, Point]
    values: Mapping[str, Choice]

    @property
    def validation(self) -> float:
        """The mean score on validation, higher is better."""
        return Family(tuple(self.points.values())).validation

    def add(self, point: Point) -> None:
        """Add a point; of two of one seed the better on validation stays."""
        rival = self.points.setdefault(point.recipe.get("seed"), point)
        if point.measured.score_validation > rival.measured.score_validation:
            self.points[point.recipe.get("seed")] = point


def tabulate(
    record: StudyRecord,
    rows: Sequence[str],
    columns: Sequence[str] = (),
    value: str = "test",
    only: Sequence[str] = (),
) -> StudyTable:
    """Return the table of a figure: `value` is `test`, `validation`, a cost such as `params`, or a metric by its key.

    `only` keeps the points with certain values, each item as `NAME=VALUE,VALUE`. ValueError for an unknown name or
    figure, a name twice, or a table without a cell.
    """
    figure, plain = figure_of(value, record), _plain_teacher(record)
    every = [point for point in record.points if has(figure, point)]
    ids = {point.id for point in every}
    seeds: dict[str, list[Point]] = {}
    for point in every:
        seeds.setdefault(point.family if point.family in ids else point.id, []).append(point)
    points = [
        Sorted(point, values_of(trial, point))
        for trial in record.trials
        if _bare(trial.recipe) != plain
        for point in trial.points
        if point.id in seeds
    ]
    if not points:
        raise ValueError(f"table: {record.name} must have a model beside the plain teacher, it has none")
    check_names(rows, columns, points)
    points = restricted(points, only)
    found: dict[Place, dict[str, _Recipe]] = {}
    left_out: dict[str, set[str]] = {}
    for point, values in points:
        lacks = next((name for name in (*rows, *columns) if name not in values), None)
        if lacks is not None:
            left_out.setdefault(lacks, set()).add(point.id)
            continue
        place = tuple(values[name] for name in rows), tuple(values[name] for name in columns)
        recipe = found.setdefault(place, {}).setdefault(_identity(point), _Recipe({}, values))
        for same in seeds[point.id]:
            recipe.add(same)
    if not found:
        within = f" within --only {' '.join(only)}" if only else ""
        raise ValueError(f"table: {record.name} must have a model with {' and '.join(rows)}, it has none{within}")
    different = {place: _different(recipes.values()) for place, recipes in found.items()}
    cells = {place: _cell(figure, recipes) for place, recipes in different.items()}
    chosen = [point for cell in cells.values() for point in cell.points]
    return StudyTable(
        record.name,
        figure,
        tuple(rows),
        tuple(columns),
        _sorted({row for row, _ in cells}),
        _sorted({column for _, column in cells}),
        _with_best(figure, cells),
        tuple(only),
        _differing(different.values(), (*rows, *columns)),
        {name: len(points) for name, points in left_out.items()},
        _teacher(figure, record, plain),
        sum(trial.status == "running" for trial in record.trials),
        mixed(chosen, (LATENCY,)) if figure.name == LATENCY else "",
    )


def _bare(recipe: Mapping[str, object]) -> str:
    """Return the recipe without its seed, as text."""
    return json.dumps({name: part for name, part in recipe.items() if name != "seed"}, sort_keys=True)


def _identity(point: Point) -> str:
    """Return what models that differ in the seed alone have in common."""
    return f"{point.variant} {point.sparsity} {_bare(point.recipe)}"


def _plain_teacher(record: StudyRecord) -> str:
    """Return the recipe of trial 0 without its seed if trial 0 is the plain teacher, of no choices and one stage."""
    first = record.trials[0] if record.trials else None
    stages = None if first is None or first.choices else first.recipe.get("stages")
    return _bare(first.recipe) if first is not None and isinstance(stages, list | tuple) and len(stages) == 1 else ""


def _teacher(figure: Figure, record: StudyRecord, plain: str) -> Cell | None:
    plain_trials = [trial for trial in record.trials if plain and _bare(trial.recipe) == plain]
    points = {point.id: point for trial in plain_trials for point in trial.points if has(figure, point)}
    return _over_seeds(figure, points.values()) if points else None


def _different(recipes: Iterable[_Recipe]) -> list[_Recipe]:
    """Return the recipes, of several with the same models the first."""
    return list({min(point.id for point in one.points.values()): one for one in reversed([*recipes])}.values())[::-1]


def _cell(figure: Figure, recipes: Sequence[_Recipe]) -> Cell:
    best = max(recipes, key=lambda recipe: recipe.validation)
    return replace(_over_seeds(figure, best.points.values()), recipes=len(recipes))


def _over_seeds(figure: Figure, points: Iterable[Point]) -> Cell:
    every = tuple(points)
    found = [figure.value(point.measured) for point in every]
    return Cell(round(fmean(found), 9), stdev(found) if len(found) > 1 else None, every)


def _with_best(figure: Figure, cells: Mapping[Place, Cell]) -> dict[Place, Cell]:
    """Mark the best cells of every column of two cells or more; means that are written alike are equally good."""
    if is_better(figure) is None:
        return dict(cells)
    best: dict[Key, str] = {}
    for column in {column for _, column in cells}:
        means = [cell.mean for (_, other), cell in cells.items() if other == column]
        if len(means) > 1:
            best[column] = figure.style.text(max(means) if is_better(figure) == "higher" else min(means))
    return {
        place: replace(cell, is_best=figure.style.text(cell.mean) == best.get(place[1]))
        for place, cell in cells.items()
    }


def _differing(places: Iterable[Sequence[_Recipe]], of_table: Sequence[str]) -> tuple[str, ...]:
    """Return the names, beside those of the table, in which recipes of one place differ."""
    found: dict[str, None] = {}
    for recipes in places:
        said = [recipe.values for recipe in recipes]
        for name in dict.fromkeys(name for values in said for name in values):
            if name not in of_table and len({str(values.get(name)) for values in said}) > 1:
                found[name] = None
    return tuple(found)


def _sorted(keys: Iterable[Key]) -> tuple[Key, ...]:
    """Return the keys in the order of their values, name by name."""
    every = list(keys)
    orders = [in_order(set(values)) for values in zip(*every, strict=True)]
    return tuple(
        sorted(every, key=lambda key: tuple(order.index(value) for order, value in zip(orders, key, strict=True)))
    )
