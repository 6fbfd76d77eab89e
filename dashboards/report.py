"""The report: all of a study in an HTML file, readable without server or network."""

from __future__ import annotations

import html
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from compress.figures import TEST
from dashboards import controls, curves, history, importance, levels, spending, tables
from dashboards.curves import Curve
from dashboards.models import Models, columns
from dashboards.page import page, paragraph, section, slot
from dashboards.published import published
from search.selection.budget import Budget
from search.selection.selection import choose
from search.study.breakpoints import DELTA
from search.study.front import hypervolume, measured_on
from search.study.record import StudyRecord

WITHIN = f"tolerance: loses at most {100 * DELTA:.3g}%"


def figures(study: StudyRecord) -> dict[str, go.Figure]:
    """Return the figures independent of the budget, by name; a study without points has them too."""
    return {
        "hypervolume": history.figure(history.info(study)),
        "stages": history.stages_figure(history.stages(study)),
        "importance": importance.figure(importance.info(study)),
        "levels": levels.figure(levels.info(study)),
        "spending": spending.figure(spending.info(study)),
    }


def report(study: StudyRecord) -> str:
    """Return the study as an HTML document: figures, tables and a budget's sliders, all text escaped, nothing fetched.

    Models are chosen by validation accuracy; test accuracy is only reported.
    """
    models, drawn = Models.of(study), figures(study)
    lines = curves.info(models)
    known = published(study.task)
    body = [
        f"<h1>{html.escape(study.name)}</h1>",
        paragraph(f"Task {study.task}, space {study.space}, objectives {', '.join(study.objectives)}."),
        _numbers(models),
        "<noscript><p>Without scripts this page has its tables, and neither figures nor sliders.</p></noscript>",
        _budget(models),
        *([paragraph(_latencies(models))] if models.means else []),
        section(
            "The front",
            controls.axes(any(known.values())),
            slot("front", 480, _CAPTIONS["front"]),
            tables.of_front(models),
        ),
        tables.best_by_size(models),
        section("Breakpoints", _curves_slot(lines), tables.of_breakpoints(models, lines)),
        section("Progress", *(_slot(name, drawn) for name in ("hypervolume", "stages"))),
        section("Which choices matter", *(_slot(name, drawn) for name in ("importance", "levels"))),
        section("What it cost", _slot("spending", drawn), tables.spent(study)),
        tables.unfinished(study),
    ]
    data: dict[str, Any] = {
        **columns(models),
        **controls.legend(),
        "quoted": shlex.quote(study.name),
        "groups": sorted({models.group(row) for row in range(len(models.means)) if row != models.teacher}),
        "curves": [{**vars(line), "rows": list(line.rows)} for line in lines],
        "within": WITHIN,
        "published": known,
        "figures": {name: json.loads(figure.to_json()) for name, figure in drawn.items()},
    }
    return page(f"{study.name} - Paretune", "\n".join(body), data)


_CAPTIONS = {
    "front": "Every measured model. Models on the front are ringed, dominated models are faint, models beyond the "
    "budget are barely visible. The steps are the best accuracy at each cost within the budget. "
    "With a mouse, drag to zoom and double-click to go back.",
    "curves": "Accuracy by the share of prunable weights removed: a line for every recipe and variant, dotted if "
    "quantized, as far as within the budget. Curves without a model on the front are faint. On all other curves the "
    "dot marks the largest sparsity within the tolerance, the diamond the knee, after which the curve falls fastest. "
    "Bars are 95% confidence intervals of the mean over several seeds; long bars are cut off.",
    "hypervolume": "Share of the space between the teacher's costs and zero dominated by the front, costs on "
    "a log scale; trials in the order they were asked for, seconds of all workers together. A model made again with "
    "another seed counts as a further model here; at the top of the page the mean over seeds counts.",
    "stages": "The best validation accuracy at a number of parameters by the trials finished after a tenth, a quarter, "
    "half and all of the work.",
    "importance": "Share of the variance over all points between the levels of a choice (eta squared). A faint "
    "bar is below its mark: shuffling the choice over the trials reaches the same share in at least 5% of cases.",
    "levels": "Mean accuracy of a level's trials against models of about the same size (quarters by "
    "parameters), with the standard error over trials. Differences within the error are not findings.",
    "spending": "Seconds to make the models of each stage, every model once, and the seconds saved by the store: "
    "further trials with the same models took them from the store.",
}


def _slot(name: str, drawn: dict[str, go.Figure]) -> str:
    return slot(name, int(drawn[name].layout.height), _CAPTIONS[name])


def _curves_slot(lines: Sequence[Curve]) -> str:
    if not lines:
        return paragraph("No trial has two points yet, so there is no curve.")
    return slot("curves", 480, _CAPTIONS["curves"])


def _numbers(models: Models) -> str:
    study = models.study
    statuses = Counter(trial.status for trial in study.trials)
    volume = hypervolume(models.means, study.objectives, study.reference_point)
    worked = sum(trial.seconds for trial in study.trials)
    shown = [
        ("trials", str(len(study.trials)), ", ".join(f"{n} {status}" for status, n in statuses.items())),
        ("models measured", f"{len(study.points):,}", "each stored and reloadable"),
        ("on the front", str(len(models.front)), f"of {len(study.objectives)} objectives"),
        ("hypervolume", f"{volume:.3f}", "of 1"),
        ("work", tables.duration(worked), "of all workers together"),
    ]
    items = (
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(figure)}<small>{html.escape(note)}</small></dd></div>"
        for name, figure, note in shown
    )
    return f'<dl class="numbers">{"".join(items)}</dl>'


def _latencies(models: Models) -> str:
    """Return the paragraph on the devices latencies were measured on."""
    places = sorted({measured_on(point) for point in models.study.points})
    names = [f"{device}, {threads} thread{'s' if threads > 1 else ''}" for device, _, threads in places]
    apart = ", which are not to be compared with each other" if len(places) > 1 else ""
    return (
        f"Latencies: one image, in the trials and beside others, on {' and '.join(dict.fromkeys(names))}{apart}. "
        "paretune select measures them again where they decide."
    )


def _budget(models: Models) -> str:
    best = choose(models.study.points, Budget()).best
    pick: dict[str, str] = {}
    name = "No model has been measured yet."
    if best is not None:
        row, m = models.row[best.id], best.measured
        name = f"Most accurate: trial {best.trial} at {100 * best.sparsity:.3g} %"
        pick = {one.key: one.written(m) for one in controls.PICKED}
        pick |= {"validation": tables.validation(models, row), "test": TEST.written(models.means[row].measured)}
    return controls.budget(pick, name, f"paretune select {shlex.quote(models.study.name)}")
