"""Tables of the command about a study: its front, trials, breakpoints, the series of a training, and all methods."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from compress.figures import COSTS, LATENCY, SHOWN, Figure, graded
from compress.quality import ACCURACY, Quality
from paretune.words.fitted_table import Brief, Column, FittedTable, figures
from search.selection.rated import RatedModel
from search.study.breakpoints import DELTA, Breakpoint
from search.study.endings import ending, reason
from search.study.recipe_words import recipe_words
from search.study.record import TrialRecord

if TYPE_CHECKING:
    from pandas import DataFrame

ALWAYS = tuple(one.name for one in SHOWN)
"""Costs that every table of points has; others where they are objectives, latency where there is room."""
BRIEF_SPLITS = {"validation": "val.", "test": "test"}
SHARED = dict(zip(ALWAYS, (1, 2), strict=False))
"""Costs whose share of the teacher's is shown, with the rank of the share's column."""
UNITS = {"size_bytes": "kB: size on disk", LATENCY: "ms: latency of one image"}
"""What a column is whose head is a unit."""
ROUNDED = "figures rounded up"
SHARE_NOTE = "%: share of the teacher's, which is the first row"


def front_table(found: Mapping[str, Any], teacher: Mapping[str, Any] | None = None) -> FittedTable:
    """Return a front as of `paretune.front`: the `teacher` first, then a point a row, the best first."""
    points, quality = found["points"], Quality.from_json(found.get("quality"))
    table = points_table(points, quality, teacher=teacher, objectives=found["objectives"])
    places = {(p["device"], p["machine"], p["threads"]) for p in points}
    if len(places) > 1:
        table.caption = "ms: of several devices, machines or numbers of threads, so not to be compared; see --json"
    unit = f"; {quality.name} in {quality.unit}" if quality.unit else ""
    apart = teacher is not None and all(point["id"] != teacher["id"] for point in points)
    count = f"{len(points)} points on the front" + (" after the teacher" if apart else "")
    table.title = f"{found['study']}: {count}, hypervolume {found['hypervolume']:.4f}{unit}"
    return table


def rated_table(found: Iterable[RatedModel]) -> FittedTable:
    """Return the models within a budget, a row each, in the given order."""
    rated = [*found]
    return points_table([one.as_json() for one in rated], rated[0].point.quality if rated else ACCURACY)


def points_table(
    points: Sequence[Mapping[str, Any]],
    quality: Quality,
    *,
    studies: Sequence[str] = (),
    teacher: Mapping[str, Any] | None = None,
    objectives: Sequence[str] = (),
) -> FittedTable:
    """Return points in the form of JSON, a point a row; with `studies` a first column names the studies of each point.

    The `teacher` stands first, and shares of its costs beside those of all. Costs among the `objectives` are always
    shown.
    """
    rows = [*points]
    if teacher is not None:
        rows = [teacher, *(p for p in points if p["id"] != teacher["id"])]
    costs = [one for one in COSTS if one.name in (*ALWAYS, *objectives) or one.name == LATENCY]
    of = "" if quality == ACCURACY else f"{quality.name} "
    columns = [Column("study", words=True)] if studies else []
    columns += [Column("point", words=True), Column("trial", rank=3)]
    columns += [
        Column(Brief(of + one.split, of + ("val." if one.split == "validation" else "test"))) for one in graded(quality)
    ]
    for cost in costs:
        head = Brief(cost.column.unit, cost.brief or cost.column.unit)
        rank = 0 if cost.name in (*ALWAYS, *objectives) else 3
        note = UNITS.get(cost.name, "") + (_target(rows) if cost.name == LATENCY else "")
        columns.append(Column(head, rank=rank, note=note, brief_note=ROUNDED))
        columns += (
            [Column("", rank=SHARED[cost.name], note=SHARE_NOTE)] if teacher is not None and cost.name in SHARED else []
        )
    table = FittedTable([*columns, Column("recipe", words=True, wraps=True)])
    for place, p in enumerate(rows):
        words = [recipe_words(p["recipe"], p["sparsity"], p["variant"], whole=whole) for whole in (True, False)]
        is_teacher = teacher is not None and place == 0
        table.add_row(
            *studies[place : place + 1],
            p["id"][:8],
            str(p["trial"]),
            *(_over_seeds(p, one.split, quality) for one in graded(quality)),
            *(cell for cost in costs for cell in _cost(p, cost, teacher)),
            Brief(*(f"teacher: {one}" if is_teacher else one for one in words)),
        )
    return table


def _cost(point: Mapping[str, Any], cost: Figure, teacher: Mapping[str, Any] | None) -> list[str]:
    """Return the cell of a cost, and the cell of its share of the teacher's for a cost with such a column."""
    value = point[cost.name]
    text = cost.column.text(value)
    shown = Brief(text, figures(value)) if cost.column.scale == 1 and cost.name != LATENCY else text
    return [shown, _share(value / teacher[cost.name])] if teacher is not None and cost.name in SHARED else [shown]


def _target(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return where the latencies are of, "" unless all are of one target, such as onnx:cpu:1."""
    devices = {row.get("device", "") for row in rows}
    return f" on {next(iter(devices))}" if len(devices) == 1 and ":" in next(iter(devices)) else ""


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}" if share >= 0.001 else f"{share:.2%}"


def _over_seeds(point: Mapping[str, Any], split: str, quality: Quality) -> str:
    """Return the quality; with several seeds their mean, and on validation the interval of confidence."""
    count, margin = point["seeds"]["count"], point["seeds"]["margin"]
    mean = bare(quality, point["seeds"][split])
    if margin is None or split != "validation":
        return mean
    return Brief(f"{mean} ± {bare(quality, margin)} ({count})", f"{mean}±{bare(quality, margin).removeprefix('0')}")


def bare(quality: Quality, value: float) -> str:
    """Return a value of the quality without its unit."""
    return quality.text(value).removesuffix(f" {quality.unit}")


def study_table(found: Mapping[str, Any]) -> Table:
    """Return a study as of `paretune.show`, a line each."""
    table = Table.grid(padding=(0, 2))
    rows = {**{name: value for name, value in found.items() if name not in ("options", "toml")}, **found["options"]}
    for name, value in rows.items():
        table.add_row(Text(name), Text(_in_words(value)))
    return table


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_words(held)}" for name, held in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def trials_table(found: Sequence[TrialRecord], *, lives: bool = True, waiting: Collection[int] = ()) -> FittedTable:
    """Return trials in the order they were asked for.

    `lives` tells whether a search is at work on the running trials, `waiting` has the numbers of waiting trials.
    """
    table = FittedTable(
        [
            Column("trial"),
            Column("status", words=True),
            Column("points"),
            Column("seconds"),
            Column("choices", words=True, wraps=True),
        ]
    )
    for t in found:
        choices = ", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in t.choices.items())
        said = choices or "the plain teacher"
        why, seconds = reason(t), "" if t.status == "running" else f"{t.seconds:.0f}"
        table.add_row(
            str(t.id),
            ending_now(t, lives=lives, waiting=waiting),
            str(len(t.points)),
            seconds,
            f"{why}; {said}" if why else said,
        )
    every = [point.id for t in found for point in t.points]
    if len(every) > len(set(every)):
        table.caption = f"{len(set(every)):,} points in all: a model that several trials have counts in each"
    return table


def ending_now(trial: TrialRecord, *, lives: bool, waiting: Collection[int]) -> str:
    """Return how a trial ended, or `running`, `waiting`, or `unfinished` where no search lives; as `trials_table`."""
    return "waiting" if trial.id in waiting and trial.status == "running" else ending(trial, lives=lives)


def series_table(found: DataFrame) -> FittedTable:
    """Return figures of trainings, an epoch a row; a figure that an epoch does not have is left empty."""
    table = FittedTable([Column(str(name), words=name == "stage") for name in found.columns])
    for row in found.to_dict("records"):
        table.add_row(*(_epoch_figure(value) for value in row.values()))
    return table


def _epoch_figure(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def breakpoints_table(found: Sequence[Breakpoint], quality: Quality) -> FittedTable:
    """Return breakpoints, a curve a row."""
    delta, unit = found[0].delta if found else quality.amount(DELTA), f" {quality.unit}" if quality.unit else ""
    within = [Column(f"within {delta:.4g}{unit}"), Column(quality.name), Column("point", words=True)]
    bend = [Column("knee"), Column(quality.name), Column("point", words=True)]
    table = FittedTable(
        [Column("trial"), Column("curve", words=True), Column(Brief("unpruned", "base")), *within, *bend]
    )
    for b in found:
        knee = ("", "") if b.knee is None else (f"{b.knee:.0%}", bare(quality, b.knee_quality or 0.0))
        ids = [(point or "")[:8] for point in (b.tolerance_point, b.knee_point)]
        table.add_row(
            str(b.trial),
            b.variant,
            bare(quality, b.base_quality),
            f"{b.tolerance:.0%}",
            bare(quality, b.tolerance_quality),
            ids[0],
            *knee,
            ids[1],
        )
    return table


def methods_table(found: Iterable[Mapping[str, str]]) -> FittedTable:
    """Return methods with their sources."""
    table = FittedTable(
        [Column(name, words=True) for name in ("kind", "name")] + [Column("source", words=True, wraps=True)]
    )
    for method in found:
        table.add_row(method["kind"], method["name"], method["source"])
    return table
