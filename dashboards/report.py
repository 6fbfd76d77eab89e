"""The report: all of a study in one HTML file that needs neither a server nor a network."""

from __future__ import annotations

import html
from collections import Counter

import plotly.graph_objects as go

from dashboards import curves, history, importance, levels, pareto
from dashboards.frame import summary
from dashboards.page import Column, page, paragraph, section, slot, table
from search.breakpoints import breakpoints
from search.budget import Amount, Budget
from search.choice import choose
from search.front import front, hypervolume
from search.record import Point, StudyRecord

SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)


def figures(study: StudyRecord) -> dict[str, go.Figure]:
    """Every figure of a study by the name it is logged under; a study without points has them too."""
    return {
        "front_params": pareto.figure(pareto.info(study, "params")),
        "front_flops": pareto.figure(pareto.info(study, "flops")),
        "breakpoints": curves.figure(curves.info(study)),
        "hypervolume": history.figure(history.info(study)),
        "importance": importance.figure(importance.info(study)),
        "levels": levels.figure(levels.info(study)),
    }


def report(study: StudyRecord) -> str:
    """The study as one HTML document: figures and tables, all text escaped, nothing fetched.

    Models are chosen by validation accuracy; the test accuracy beside it is only reported.
    """
    drawn = figures(study)
    body = [
        f"<h1>{html.escape(study.name)}</h1>",
        paragraph(f"Task {study.task}, space {study.space}, objectives {', '.join(study.objectives)}."),
        _numbers(study),
        _best_by_size(study),
        section(
            "The front",
            *(slot(name, drawn[name], _CAPTIONS[name]) for name in ("front_params", "front_flops")),
        ),
        _front(study),
        section(
            "Breakpoints",
            slot("breakpoints", drawn["breakpoints"], _CAPTIONS["breakpoints"]),
            _breakpoints(study),
        ),
        section("Progress", slot("hypervolume", drawn["hypervolume"], _CAPTIONS["hypervolume"])),
        section(
            "Which choices matter",
            *(slot(name, drawn[name], _CAPTIONS[name]) for name in ("importance", "levels")),
        ),
        _unfinished(study),
    ]
    return page(f"{study.name} - Paretune", "\n".join(body), drawn)


_CAPTIONS = {
    "front_params": "Every measured model by its parameters. Faint points are beaten on all objectives by "
    "another, ringed ones by none. The steps are the best accuracy to be had at a number of parameters.",
    "front_flops": "The same models by their compute; a MAC is two FLOPs.",
    "breakpoints": "One line a trial and variant, dotted where quantized. A dot is the largest sparsity that costs "
    "no more than the tolerance, a diamond the knee, after which the curve falls fastest.",
    "hypervolume": "Share of the space between the teacher's costs and nothing that the front dominates, costs on "
    "a log scale; trials in the order they were asked for.",
    "importance": "Variance over all points that lies between the levels of one choice (eta squared). A faint "
    "bar stays below its mark: shuffling the choice over the trials does as well in at least one case of twenty.",
    "levels": "Mean accuracy of a level's trials against models of about the same size (quarters by "
    "parameters), with the standard error over trials. Differences within the error are not findings.",
}


def _numbers(study: StudyRecord) -> str:
    points = study.points
    statuses = Counter(trial.status for trial in study.trials)
    best = choose(points, Budget()).best
    volume = hypervolume(points, study.objectives, study.reference_point)
    shown = [
        ("trials", str(len(study.trials)), ", ".join(f"{n} {status}" for status, n in statuses.items())),
        ("models measured", str(len(points)), "each stored and reloadable"),
        ("on the front", str(len(front(points, study.objectives))), f"of {len(study.objectives)} objectives"),
        ("hypervolume", f"{volume:.3f}", "of 1"),
    ]
    if best:
        m = best.measured
        shown.append(
            (
                "best accuracy",
                _percent(m.accuracy_validation),
                f"validation; {_percent(m.accuracy_test)} test",
            )
        )
    items = (
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(figure)}<small>{html.escape(note)}</small></dd></div>"
        for name, figure, note in shown
    )
    return f'<dl class="numbers">{"".join(items)}</dl>'


def _best_by_size(study: StudyRecord) -> str:
    if study.teacher is None:
        return ""
    columns = [Column("at most", "word"), *_MODEL]
    rows = []
    for share in SHARES:
        budget = Budget(max_params=Amount(share, is_share=True)).resolve(study.teacher)
        best = choose(study.points, budget).best
        if best:
            rows.append([f"{share:.0%} of the teacher's parameters", *_model(best)])
    return section("Best under a size", table(columns, rows))


def _front(study: StudyRecord) -> str:
    members = sorted(front(study.points, study.objectives), key=lambda point: point.measured.params)
    if not members:
        return ""
    choices = {point.id: trial.choices for trial in reversed(study.trials) for point in trial.points}
    rows = [[*_model(point), *_costs(point), summary(choices[point.id]) or "the unpruned teacher"] for point in members]
    return table([*_MODEL, *_COSTS, Column("recipe", "prose")], rows)


def _breakpoints(study: StudyRecord) -> str:
    found = breakpoints(study)
    if not found:
        return ""
    columns = (
        "trial",
        "variant",
        "base",
        "tolerance",
        "accuracy there",
        "test",
        "knee",
        "accuracy there",
        "test",
    )
    rows = [
        [
            str(b.trial),
            b.variant,
            _percent(b.base_accuracy),
            f"{b.tolerance:.0%}",
            _percent(b.tolerance_accuracy),
            _percent(b.tolerance_accuracy_test),
            "" if b.knee is None else f"{b.knee:.0%}",
            _percent(b.knee_accuracy),
            _percent(b.knee_accuracy_test),
        ]
        for b in found
    ]
    return table([Column(name, "word" if name == "variant" else "figure") for name in columns], rows)


def _unfinished(study: StudyRecord) -> str:
    rows = [
        [str(trial.id), trial.status, trial.reason, summary(trial.choices)]
        for trial in study.trials
        if trial.status in ("failed", "stopped")
    ]
    if not rows:
        return ""
    words = (Column("status", "word"), Column("reason", "prose"), Column("recipe", "prose"))
    return section("Failed and stopped trials", table([Column("trial"), *words], rows))


_MODEL = (Column("trial"), Column("pruned"), *(Column(name) for name in ("validation", "test", "params")))
_COSTS = (Column("MACs"), Column("bytes"), Column("latency, ms"), Column("variant", "word"))


def _model(point: Point) -> list[str]:
    m = point.measured
    accuracies = [_percent(m.accuracy_validation), _percent(m.accuracy_test)]
    return [str(point.trial), f"{point.sparsity:.0%}", *accuracies, f"{m.params:,}"]


def _costs(point: Point) -> list[str]:
    m = point.measured
    return [f"{m.macs:,}", f"{m.size_bytes:,}", f"{m.latency_ms:.3g}", point.variant]


def _percent(accuracy: float | None) -> str:
    return "" if accuracy is None else f"{100 * accuracy:.2f}%"
