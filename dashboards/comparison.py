"""The page of a comparison: a figure for each cost with the fronts of all studies, and the tables of the command."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass

import plotly.graph_objects as go

from compress.figures import COSTS, Figure, graded
from compress.quality import Quality
from dashboards import theme
from dashboards.further import Further
from dashboards.page import PICTURES, Column, page, paragraph, section, slot, table
from search.study.comparison import Comparison
from search.study.record import Point

_COSTS = {cost.name: cost for cost in COSTS}


@dataclass(frozen=True)
class Line:
    """The front of a study on the quality and one cost.

    `costs` rise; `values` are of the quality, on validation. `joint` tells for each point whether the point is on the
    front of all studies.
    """

    study: str
    costs: tuple[float, ...]
    values: tuple[float, ...]
    joint: tuple[bool, ...]


def info(found: Comparison, cost: str) -> list[Line]:
    """Return a line for each study with a model: the points of its front that no other is better than on `cost`."""
    joint = {(each.family.mean.id, name) for each in found.joint for name in each.studies}
    quality, _ = graded(found.quality)
    lines = []
    for one in found.studies:
        means = [family.mean for family in one.front]
        best = _steps(means, _COSTS[cost])
        if best:
            lines.append(
                Line(
                    one.name,
                    tuple(_COSTS[cost].value(point.measured) for point in best),
                    tuple(quality.value(point.measured) for point in best),
                    tuple((point.id, one.name) in joint for point in best),
                )
            )
    return lines


def _steps(means: list[Point], cost: Figure) -> list[Point]:
    """Return the points by rising cost, without points that a point no dearer is as good as."""
    found: list[Point] = []
    for point in sorted(means, key=lambda one: (cost.value(one.measured), -one.measured.score_validation)):
        if not found or point.measured.score_validation > found[-1].measured.score_validation:
            found.append(point)
    return found


def figure(lines: list[Line], cost: Figure, quality: Quality) -> go.Figure:
    """Draw the lines as steps over the logarithm of the cost; points on the front of all have a ring."""
    graded_on, _ = graded(quality)
    drawing = theme.figure(f"{cost.axis} (log scale)", theme.plain(graded_on.axis), height=440)
    drawing.update_xaxes(type="log", exponentformat="SI")
    theme.set_quality_axis(drawing, quality)
    colours = theme.colours([line.study for line in lines])
    for line in lines:
        drawing.add_scatter(
            x=line.costs,
            y=line.values,
            mode="lines+markers",
            name=theme.plain(line.study),
            line={"shape": "hv", "width": 1.8, "color": colours[line.study]},
            marker={"size": 8, "line": {"width": [2 if ringed else 0 for ringed in line.joint], "color": theme.QUIET}},
            hovertext=[_hover(line, at, cost, graded_on) for at in range(len(line.costs))],
            hoverinfo="text",
        )
    return drawing


def _hover(line: Line, at: int, cost: Figure, quality: Figure) -> str:
    words = [
        f"<b>{theme.plain(line.study)}</b>",
        f"{cost.style.text(line.costs[at])} {cost.style.unit}",
        f"{quality.style.text(line.values[at])} {quality.axis}",
    ]
    return "<br>".join([*words, *(["on the front of all"] if line.joint[at] else [])])


def comparison_page(found: Comparison) -> str:
    """Return the comparison as an HTML document: all text escaped, nothing fetched."""
    drawn, names = _drawn(found), " and ".join(one.name for one in found.studies)
    body = [
        f"<h1>{html.escape(names)}</h1>",
        *_overview(found),
        section("The fronts", *_slots(found, drawn)),
        section("The front of all", _joint(found)),
        *map(paragraph, found.notes),
    ]
    data = {"figures": {name: json.loads(made.to_json()) for name, made in drawn.items()}}
    return page(f"{names} - Paretune", "\n".join(body), data, PICTURES)


def comparison_section(found: Comparison) -> Further:
    """Return the section of a report on its study beside others: overview and fronts."""
    drawn = {f"beside-{name}": made for name, made in _drawn(found).items()}
    parts = [*_overview(found), *_slots(found, drawn), *map(paragraph, found.notes)]
    return Further(section("Beside other studies", *parts), drawn)


def _drawn(found: Comparison) -> dict[str, go.Figure]:
    costs = [name for name in found.objectives if name in _COSTS]
    return {name: figure(info(found, name), _COSTS[name], found.quality) for name in costs}


def _slots(found: Comparison, drawn: Mapping[str, go.Figure]) -> list[str]:
    caption = (
        f"The best {found.quality.name} within each cost, study by study, means over seeds. Rings mark points on the "
        "front of all studies on all objectives."
    )
    return [slot(name, int(made.layout.height), caption) for name, made in drawn.items()]


def _overview(found: Comparison) -> list[str]:
    """Return a sentence on what is compared, and a row for each study."""
    heads = ("models", "front", "on the front of all", "alone there", "hypervolume", "adds")
    rows = [
        [
            one.name,
            f"{one.models:,}",
            str(len(one.front)),
            str(one.on_joint),
            str(one.alone),
            f"{one.hypervolume:.4f}",
            f"{one.adds:.4f}",
        ]
        for one in found.studies
    ]
    text = f"Compared on {', '.join(found.objectives)}. Hypervolume of all: {found.hypervolume:.4f}."
    return [paragraph(text), table([Column("study", "word"), *map(Column, heads)], rows)]


def _joint(found: Comparison) -> str:
    quality, _ = graded(found.quality)
    costs = [_COSTS[name] for name in found.objectives if name in _COSTS]
    columns = [
        Column("study", "word"),
        Column("point", "word"),
        Column(quality.label),
        *(Column(c.label) for c in costs),
    ]
    rows = []
    for each in found.joint:
        mean = each.family.mean
        figures = (quality.written(mean.measured), *(cost.written(mean.measured) for cost in costs))
        rows.append([", ".join(each.studies), mean.id[:8], *figures])
    return table(columns, rows)
