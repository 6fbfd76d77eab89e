"""A study's tables in MLflow: front and breakpoints for its own page, both and all points for a notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.study.breakpoints import breakpoints
from search.study.record import JsonDict, Point, StudyRecord
from search.study.seeds import front_of
from search.tracking.fields import LABELS, figures, mean_accuracies

TABLES = ("front.json", "breakpoints.json")
"""What MLflow shows on the page of the study's run."""


def write_tables(study: StudyRecord, folder: Path) -> None:
    """Leave a study's tables in `folder`: front and breakpoints as MLflow shows them, both and all points as parquet.

    A table without rows is not written.
    """
    import pandas

    best, breaks = front_rows(study), [found.as_json() for found in breakpoints(study)]
    for name, table in zip(TABLES, (best, breaks), strict=True):
        if table:
            pandas.DataFrame(table).to_json(folder / name, orient="split", index=False)
    for name, table in (("front", best), ("breakpoints", breaks), ("points", rows(study, study.points))):
        if table:
            pandas.DataFrame(table).to_parquet(folder / f"{name}.parquet", index=False)


def front_rows(study: StudyRecord) -> list[JsonDict]:
    """One flat row a model of the front, as `paretune.front` has them, by falling accuracy.

    A row is that of the family's first point, costs included, but its accuracies are the means over `seeds` (how many).
    `margin` is half the width of the interval of confidence of the one on validation, NaN with one seed.
    """
    best = front_of(study.points, study.objectives)
    means: dict[str, JsonDict] = {
        family.points[0].id: {
            **mean_accuracies(family),
            "seeds": len(family.points),
            "margin": math.nan if family.margin is None else family.margin,
        }
        for family in best
    }
    return rows(study, [family.points[0] for family in best], means)


def rows(
    study: StudyRecord, points: Sequence[Point], instead: Mapping[str, Mapping[str, object]] | None = None
) -> list[JsonDict]:
    """One flat row a point: where it lies, its figures, its trial's labels, its seed, its family; the path last.

    `family` is the id of the family's first point, the same for all seeds of one model. `instead` has, by a point's id,
    figures that take the place of its own or follow them.
    """
    choices = {trial.id: trial.choices for trial in study.trials}
    used = [name for name in LABELS if any(name in chosen for chosen in choices.values())]
    return [
        {
            "trial": point.trial,
            "variant": point.variant,
            "sparsity": point.sparsity,
            **figures(point),
            **((instead or {}).get(point.id, {})),
            **{name: _text(choices.get(point.trial, {}).get(name)) for name in used},
            "seed": point.recipe.get("seed"),
            "family": point.family or point.id,
            "id": point.id,
            "path": point.path,
        }
        for point in points
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
