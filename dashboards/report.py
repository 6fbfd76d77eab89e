"""The report: all of a study in one HTML file that needs neither a server nor a network."""

from __future__ import annotations

import html
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards import controls, curves, history, importance, levels, spending
from dashboards.choices import summary
from dashboards.curves import Curve
from dashboards.models import TEACHER, Models, columns
from dashboards.page import Column, Follows, page, paragraph, section, slot, table
from dashboards.published import published
from search.breakpoints import DELTA
from search.budget import Amount, Budget
from search.choice import choose
from search.front import hypervolume
from search.record import StudyRecord

SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
WITHIN = f"tolerance: loses at most {100 * DELTA:.3g}%"


def figures(study: StudyRecord) -> dict[str, go.Figure]:
    """The figures that do not move with the budget, by name; a study without points has them too."""
    return {
        "hypervolume": history.figure(history.info(study)),
        "stages": history.stages_figure(history.stages(study)),
        "importance": importance.figure(importance.info(study)),
        "levels": levels.figure(levels.info(study)),
        "spending": spending.figure(spending.info(study)),
    }


def report(study: StudyRecord) -> str:
    """The study as one HTML document: figures, tables and a budget's sliders, all text escaped, nothing fetched.

    Models are chosen by validation accuracy; the test accuracy beside it is only reported.
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
        section(
            "The front", controls.axes(any(known.values())), slot("front", 480, _CAPTIONS["front"]), _front(models)
        ),
        _best_by_size(models),
        section("Breakpoints", _curves_slot(lines), _breakpoints(models, lines)),
        section("Progress", *(_slot(name, drawn) for name in ("hypervolume", "stages"))),
        section("Which choices matter", *(_slot(name, drawn) for name in ("importance", "levels"))),
        section("What it cost", _slot("spending", drawn), _spent(study)),
        _unfinished(study),
    ]
    told: dict[str, Any] = {
        **columns(models),
        "quoted": shlex.quote(study.name),
        "groups": sorted({models.group(row) for row in range(len(models.means)) if row != models.teacher}),
        "curves": [{**vars(line), "rows": list(line.rows)} for line in lines],
        "within": WITHIN,
        "published": known,
        "figures": {name: json.loads(figure.to_json()) for name, figure in drawn.items()},
    }
    return page(f"{study.name} - Paretune", "\n".join(body), told)


_CAPTIONS = {
    "front": "Every measured model. Faint ones are beaten on all objectives by another, ringed ones by none, and what "
    "the budget leaves out nearly vanishes. The steps are the best accuracy to be had at a cost within the budget. "
    "With a mouse, drag to zoom and double-click to go back.",
    "curves": "Accuracy as prunable weights go: a line a recipe and variant, dotted where quantized, as far as it "
    "is within the budget; faint where none of its models is on the front. Of the others a dot is the "
    "largest sparsity that costs no more than the tolerance, a diamond the knee, after which the curve "
    "falls fastest. Bars are the 95% interval of the mean where a recipe was made with several seeds.",
    "hypervolume": "Share of the space between the teacher's costs and nothing that the front dominates, costs on "
    "a log scale; trials in the order they were asked for, seconds of all workers together.",
    "stages": "The best accuracy at a number of parameters after a tenth, a quarter, half and all of the work.",
    "importance": "Variance over all points that lies between the levels of one choice (eta squared). A faint "
    "bar stays below its mark: shuffling the choice over the trials does as well in at least one case of twenty.",
    "levels": "Mean accuracy of a level's trials against models of about the same size (quarters by "
    "parameters), with the standard error over trials. Differences within the error are not findings.",
    "spending": "What the models of each stage took to make, each once, and what making them again would have taken "
    "for the further trials that have them too.",
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
        ("work", _duration(worked), "of all workers together"),
    ]
    items = (
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(figure)}<small>{html.escape(note)}</small></dd></div>"
        for name, figure, note in shown
    )
    return f'<dl class="numbers">{"".join(items)}</dl>'


def _budget(models: Models) -> str:
    best = choose(models.means, Budget()).best
    pick: dict[str, str] = {}
    name = "No model has been measured yet."
    if best is not None:
        row, m = models.row[best.id], best.measured
        name = f"Most accurate: trial {best.trial} at {100 * best.sparsity:.3g} %"
        costs = {"params": m.params, "macs": m.macs, "flops": m.flops, "size_bytes": m.size_bytes}
        pick = {
            "validation": _validation(models, row),
            "test": _percent(m.accuracy_test),
            **{name: f"{cost:,}" for name, cost in costs.items()},
            "latency_ms": f"{m.latency_ms:.3g}",
        }
    return controls.budget(pick, name, f"paretune select {shlex.quote(models.study.name)}")


def _best_by_size(models: Models) -> str:
    if models.teacher is None:
        return ""
    columns = [Column("at most", "word"), *_MODEL]
    rows = []
    for share in SHARES:
        budget = Budget(max_params=Amount(share, is_share=True)).resolve(models.means[models.teacher])
        best = choose(models.means, budget).best
        if best:
            rows.append([f"{share:.0%} of the teacher's parameters", *_model(models, models.row[best.id])])
    return section("Best under a size", table(columns, rows))


def _front(models: Models) -> str:
    rows = sorted(models.front, key=lambda row: models.means[row].measured.params)
    if not rows:
        return ""
    texts = [[*_model(models, row), *_costs(models, row), models.recipe(row)] for row in rows]
    follows = Follows("models of the front", [[row] for row in rows])
    return table([*_MODEL, *_COSTS, Column("recipe", "prose")], texts, follows)


def _breakpoints(models: Models, lines: Sequence[Curve]) -> str:
    members = set(models.front)
    best = [line for line in lines if members.intersection(line.rows)]
    if not best:
        return ""
    read = ("validation", "test")
    names = ("trial", "variant", "unpruned", "tolerance", *read, "knee", *read)
    rows = [[str(line.trial), line.variant, *_readings(models, line)] for line in best]
    follows = Follows("curves through the front", [line.rows for line in best])
    left = len(lines) - len(best)
    words = f"The {left:,} other curves are in the figure, and paretune breakpoints lists them." if left else ""
    return table([Column(name, "word" if name == "variant" else "figure") for name in names], rows, follows) + (
        paragraph(words) if words else ""
    )


def _readings(models: Models, line: Curve) -> list[str]:
    held = models.means[line.tolerance]
    seeds = line.tolerances if len(line.tolerances) > 1 else ()
    spread = f" ({min(seeds):.0%} to {max(seeds):.0%}, {len(seeds)} seeds)" if seeds else ""
    first = [_validation(models, line.rows[0]), f"{held.sparsity:.0%}{spread}"]
    first += [_validation(models, line.tolerance), _percent(held.measured.accuracy_test)]
    if line.knee is None:
        return [*first, "", "", ""]
    bend = models.means[line.knee]
    return [*first, f"{bend.sparsity:.0%}", _validation(models, line.knee), _percent(bend.measured.accuracy_test)]


def _spent(study: StudyRecord) -> str:
    found = spending.info(study)
    if not found.worked:
        return ""
    share = f"{found.saved / found.anew:.0%}" if found.anew else "0%"
    words = (
        f"The trials worked for {_duration(found.worked)}. Without the store their curves would have taken at least "
        f"{_duration(found.anew)}: it saved {share}."
    )
    rows = [[what, f"{seconds:,.1f}", f"{seconds / found.worked:.1%}"] for what, seconds in found.work.items()]
    return paragraph(words) + table([Column("workers' time", "word"), Column("seconds"), Column("share")], rows)


def _unfinished(study: StudyRecord) -> str:
    found: dict[tuple[str, str], list[int]] = {}
    for trial in study.trials:
        if trial.status in ("failed", "stopped"):
            found.setdefault((trial.status, trial.reason), []).append(trial.id)
    if not found:
        return ""
    recipes = {trial.id: summary(trial.choices) or TEACHER for trial in study.trials}
    rows = [
        [status, str(len(trials)), reason, f"trial {trials[0]}: {recipes[trials[0]]}"]
        for (status, reason), trials in found.items()
    ]
    heads = (
        Column("status", "word"),
        Column("trials"),
        Column("reason", "prose"),
        Column("the first of them", "prose"),
    )
    return section("Failed and stopped trials", table(heads, rows))


_MODEL = (Column("trial"), Column("pruned"), *(Column(name) for name in ("validation", "test", "params")))
_COSTS = (Column("MACs"), Column("bytes"), Column("latency, ms"), Column("variant", "word"))


def _model(models: Models, row: int) -> list[str]:
    mean = models.means[row]
    accuracies = [_validation(models, row), _percent(mean.measured.accuracy_test)]
    return [str(mean.trial), f"{mean.sparsity:.0%}", *accuracies, f"{mean.measured.params:,}"]


def _costs(models: Models, row: int) -> list[str]:
    mean = models.means[row]
    m = mean.measured
    return [f"{m.macs:,}", f"{m.size_bytes:,}", f"{m.latency_ms:.3g}", mean.variant]


def _validation(models: Models, row: int) -> str:
    margin = models.families[row].margin
    interval = "" if margin is None else f" ± {_percent(margin)}"
    return _percent(models.means[row].measured.accuracy_validation) + interval


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f}%"


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    if hours >= 3:
        return f"{hours:,.1f} h"
    return f"{minutes:.1f} min" if minutes >= 3 else f"{seconds:.3g} s"
