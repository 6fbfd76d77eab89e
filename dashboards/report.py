"""The report: all of a study in an HTML file, readable without server or network."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from compress.figures import graded
from compress.quality import ACCURACY, Quality
from dashboards import controls, curves, history, importance, levels, spending, tables
from dashboards.curves import Curve
from dashboards.further import Further
from dashboards.headlines import numbers, tolerated
from dashboards.models import Models, columns
from dashboards.page import page, paragraph, section, slot
from dashboards.published import published
from search.selection.budget import Budget
from search.selection.selection import choose
from search.study.front import measured_on
from search.study.record import StudyRecord


def figures(study: StudyRecord) -> dict[str, go.Figure]:
    """Return the figures independent of the budget, by name; a study without points has them too."""
    return {
        "hypervolume": history.figure(history.info(study)),
        "stages": history.stages_figure(history.stages(study), study.quality),
        "importance": importance.figure(importance.info(study), study.quality),
        "levels": levels.figure(levels.info(study), study.quality),
        "spending": spending.figure(spending.info(study)),
    }


def report(study: StudyRecord, *further: Further, home: str = "") -> str:
    """Return the study as an HTML document: figures, tables and a budget's sliders, all text escaped, nothing fetched.

    `home` is the home's folder for the command that takes a model, "" for the default home.
    Models are chosen by the quality on validation; the quality on test is only reported. `further` sections come last.
    """
    models, drawn, captions = Models.of(study), figures(study), _captions(study.quality)
    lines = curves.info(models)
    quoted = shlex.quote(study.name) + (f" --home {shlex.quote(home)}" if home else "")
    known = published(study.task if study.quality == ACCURACY else "")  # published results are accuracies

    def slotted(name: str) -> str:
        return slot(name, int(drawn[name].layout.height), captions[name])

    body = [
        f"<h1>{html.escape(study.name)}</h1>",
        paragraph(f"Task {study.task}, space {study.space_said}, objectives {', '.join(study.objectives)}."),
        *([paragraph(f"Settings of its own: {study.settings_said}.")] if study.settings_said else []),
        numbers(models),
        "<noscript><p>Without scripts this page has its tables, and neither figures nor sliders.</p></noscript>",
        _budget(models, quoted),
        *([paragraph(_latencies(models))] if models.means else []),
        section(
            "The front",
            controls.axes(any(known.values())),
            slot("front", 480, captions["front"]),
            tables.of_front(models),
        ),
        tables.best_by_size(models),
        section("Breakpoints", _curves_slot(lines, captions["curves"]), tables.of_breakpoints(models, lines)),
        section("Progress", *(slotted(name) for name in ("hypervolume", "stages"))),
        section("Which choices matter", *(slotted(name) for name in ("importance", "levels"))),
        _paper(study),
        section("What it cost", slotted("spending"), tables.spent(study)),
        tables.unfinished(study),
        *(one.html for one in further),
    ]
    for one in further:
        drawn |= one.figures
    data: dict[str, Any] = {
        **columns(models),
        **controls.legend(study.quality),
        "also": list(models.also),
        "quoted": quoted,
        "groups": sorted({models.group(row) for row in range(len(models.means)) if row != models.teacher}),
        "curves": [{**vars(line), "rows": list(line.rows)} for line in lines],
        "within": f"tolerance: loses at most {tolerated(study.quality)}",
        "published": known,
        "figures": {name: json.loads(figure.to_json()) for name, figure in drawn.items()},
    }
    return page(f"{study.name} - Paretune", "\n".join(body), data)


_CAPTIONS = {  # `{quality}` is the name of the quality
    "front": "Every measured model. Models on the front are ringed, dominated models are faint, models beyond the "
    "budget are barely visible. The steps are the best {quality} at each cost within the budget. "
    "With a mouse, drag to zoom and double-click to go back.",
    "curves": "{quality} by the share of prunable weights removed: a line for every recipe and variant, dotted if "
    "quantized, as far as within the budget. Curves without a model on the front are faint. On all other curves the "
    "dot marks the largest sparsity within the tolerance, the diamond the knee, after which the curve falls fastest. "
    "Bars are 95% confidence intervals of the mean over several seeds; long bars are cut off.",
    "hypervolume": "Share of the space between the teacher's costs and zero dominated by the front, costs on "
    "a log scale; trials in the order they were asked for, seconds of all workers together. A model made again with "
    "another seed counts as a further model here; at the top of the page the mean over seeds counts.",
    "stages": "The best {quality} on validation at a number of parameters by the trials finished after a tenth, a "
    "quarter, half and all of the work.",
    "importance": "Share of the variance over all points between the levels of a choice (eta squared). A faint "
    "bar is below its mark: shuffling the choice over the trials reaches the same share in at least 5% of cases.",
    "levels": "Mean {quality} of a level's trials against models of about the same size (quarters by "
    "parameters), with the standard error over trials. Differences within the error are not findings.",
    "spending": "Seconds to make the models of each stage, every model once, and the seconds saved by the store: "
    "further trials with the same models took them from the store.",
}


_UPSIDE_DOWN = " Lower is better: the axis is reversed, up is better."
_FROM_CONSTANT = " Of the {quality}, the best constant answer's is the reference."


def _captions(quality: Quality) -> dict[str, str]:
    """Return the captions in the words of a quality; a reversed axis is said."""
    found = dict(_CAPTIONS)
    if quality != ACCURACY:
        found["hypervolume"] += _FROM_CONSTANT
    if not quality.higher_is_better:
        for name in ("front", "curves", "stages"):
            found[name] += _UPSIDE_DOWN
        found["levels"] += _UPSIDE_DOWN.replace("up is", "right is")
    texts = {name: text.replace("{quality}", quality.name) for name, text in found.items()}
    return {name: text[0].upper() + text[1:] for name, text in texts.items()}


def _curves_slot(lines: Sequence[Curve], caption: str) -> str:
    if not lines:
        return paragraph("No trial has two points yet, so there is no curve.")
    return slot("curves", 480, caption)


def _latencies(models: Models) -> str:
    """Return the paragraph on the devices latencies were measured on, or the target they are of."""
    if models.study.target:
        return (
            f"Latencies: on {models.study.target}, of {len(models.study.timed)} models measured alone, of the others "
            "foreseen. paretune select measures where they decide."
        )
    places = sorted({measured_on(point) for point in models.study.points})
    names = [f"{device}, {threads} thread{'s' if threads > 1 else ''}" for device, _, threads in places]
    apart = ", which are not to be compared with each other" if len(places) > 1 else ""
    return (
        f"Latencies: one image, in the trials and beside others, on {' and '.join(dict.fromkeys(names))}{apart}. "
        "paretune select measures them again where they decide."
    )


def _paper(study: StudyRecord) -> str:
    if study.scale is None or study.space == "joint":
        return ""
    from dashboards.papers.tables import of_study  # spaces load torch

    return of_study(study)


def _budget(models: Models, quoted: str) -> str:
    best, quality = choose(models.study.points, Budget()).best, models.study.quality
    pick: dict[str, str] = {}
    name = "No model has been measured yet."
    if best is not None:
        row, m = models.row[best.id], best.measured
        most = "Most accurate" if quality == ACCURACY else f"Best by {quality.name}"
        name = f"{most}: trial {best.trial} at {100 * best.sparsity:.3g} %"
        pick = {one.key: one.written(m) for one in controls.picked(quality)}
        pick |= {key: f"{m.metrics[key]:.4g}" for key in models.also if key in m.metrics}
        test = graded(quality)[1].written(models.means[row].measured)
        pick |= {"validation": tables.validation(models, row), "test": test}
    return controls.budget(models, pick, name, f"paretune select {quoted}")
