"""A study's tables in MLflow: front and breakpoints for its page, and with all points for a notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.selection.budget import Amount, Budget
from search.selection.rated import RatedModel
from search.selection.selection import choose
from search.study.breakpoints import breakpoints
from search.study.record import JsonDict, Point, StudyRecord
from search.study.seeds import front_of
from search.tracking.fields import LABELS, figures, mean_qualities

TABLES = ("front.json", "breakpoints.json")
"""Tables that MLflow shows on the page of the study's run."""


SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
"""Budgets of the table of best models, as shares of the unpruned teacher's params."""


def best_models(study: StudyRecord) -> list[tuple[float, RatedModel]]:
    """Return the best model under each share of the teacher's params; a repeated model only at its least share."""
    if study.teacher is None:
        return []
    found: dict[str, tuple[float, RatedModel]] = {}
    for share in SHARES:
        budget = Budget(max_params=Amount(share, is_share=True)).resolve(study.teacher)
        fits = choose(study.points, budget).fits
        if fits:
            found[fits[0].family.points[0].id] = share, fits[0]
    return list(found.values())


def model_said(point: Point) -> str:
    """Return a short name of a point."""
    return f"trial {point.trial} at {point.sparsity:.0%}" + ("" if point.variant == "float" else f", {point.variant}")


def write_tables(study: StudyRecord, folder: Path) -> None:
    """Write a study's tables into `folder`: front and breakpoints for MLflow's page, both and all points as parquet."""
    import pandas

    best, breaks = front_rows(study), [found.as_json() for found in breakpoints(study)]
    for name, table in zip(TABLES, (best, breaks), strict=True):
        if table:
            pandas.DataFrame(table).to_json(folder / name, orient="split", index=False)
    for name, table in (("front", best), ("breakpoints", breaks), ("points", rows(study, study.points))):
        if table:
            pandas.DataFrame(table).to_parquet(folder / f"{name}.parquet", index=False)


def front_rows(study: StudyRecord) -> list[JsonDict]:
    """Return a flat row for each model of the front, as in `paretune.front`, the best quality first.

    A row has the figures of the family's first point, costs included, but qualities are means over `seeds` (the number
    of seeds). `margin` is half the width of the confidence interval of the mean on validation, NaN with one seed.
    """
    best = front_of(study.points, study.objectives)
    means: dict[str, JsonDict] = {
        family.points[0].id: {
            **mean_qualities(family),
            "seeds": len(family.points),
            "margin": math.nan if family.margin is None else family.quality.amount(family.margin),
        }
        for family in best
    }
    return rows(study, [family.points[0] for family in best], means)


def rows(
    study: StudyRecord, points: Sequence[Point], instead: Mapping[str, Mapping[str, object]] | None = None
) -> list[JsonDict]:
    """Return a flat row for each point: origin, figures, the trial's labels, seed, family; the path last.

    `family` is the id of the family's first point, equal for all seeds of a model. `instead` holds, by a point's id,
    figures that replace the point's own or follow them.
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
