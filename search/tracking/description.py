"""The note on the page of a study's run in MLflow, and the study in words, both in Markdown.

Names in the note come from users, so every text is escaped, for HTML and for Markdown. A model with several seeds
counts with its means, as in `paretune front` and the report.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR
from urllib.parse import quote

from compress.figures import Figure, graded, named
from compress.quality import ACCURACY
from search.selection.amount import plain as plain_number
from search.selection.rated import RatedModel
from search.study.breakpoints import DELTA
from search.study.endings import ending, reason, states
from search.study.front import hypervolume
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import Family, front_of, middle
from search.tracking.chart import view_key
from search.tracking.tables import best_models, model_said

NOTE = "mlflow.note.content"
"""Tag with the description of a run or a logged model."""
PAGE, PICTURE, WORDS = "report.html", "front.svg", "about.md"
"""Artifacts of a study's run: the report, the picture of the front, and the study in words."""
FOR_TRAINING = "workflowType=machine_learning"
"""Part of links without which MLflow 3 shows its pages for language models."""
_SHOWN = named("params", "flops", "size_bytes")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def note(study: StudyRecord, experiment: str, run: str) -> str:
    """Write the note of the study's run: the picture of the front with the best models, and a line of links.

    MLflow cuts a note off at 100 pixels until a click; the picture and the line fit. The picture is an artifact of the
    run, because MLflow's pages drop pictures written into a note. `experiment` and `run` are MLflow's ids.
    """
    report = f"#/experiments/{experiment}/runs/{run}/artifacts/{PAGE}?{FOR_TRAINING}"
    words = f"#/experiments/{experiment}/runs/{run}/artifacts/{WORDS}?{FOR_TRAINING}"
    one = f"tags.paretune.study = '{study.name}'"
    trials = _listed(experiment, f"{one} and tags.paretune.kind = 'trial'", "&compareRunsMode=CHART")
    best = _listed(experiment, f"{one} and tags.front = 'yes'")
    chart = (
        f"#/experiments/{experiment}/runs?viewStateShareKey={view_key(study.name)}&compareRunsMode=CHART&{FOR_TRAINING}"
    )
    picture = f"[![front](get-artifact?path={PICTURE}&run_uuid={run})]({report})"
    links = {
        "The report": report,
        f"{study.quality.name} against size": chart,
        "curves of all trials": trials,
        "models of the front": best,
        "in words": words,
    }
    return picture + "<br>" + " · ".join(f"[{plain(text)}]({link})" for text, link in links.items())


def trial_note(trial: TrialRecord) -> str:
    """Describe a trial: how it ended, and the ends of its curve."""
    why = f" ({plain(reason(trial)[:500])})" if reason(trial) else ""
    if not trial.points:
        return f"{ending(trial)}{why}, no point"
    ends = [trial.points[0], trial.points[-1]][: len(trial.points)]
    said = " to ".join(
        f"{point.measured.params:,} params with {graded(point.quality)[0].written(point.measured)}" for point in ends
    )
    count = f"{len(trial.points)} point{'s' * (len(trial.points) > 1)}"
    return f"{ending(trial)}{why}, {count}: {said} {plain(ends[0].quality.name)} on validation"


def front_note(point: Point, study: str) -> str:
    """Describe a model of the front, with the command that prints its recipe."""
    validation, test = (f"{one.written(point.measured)} on {one.split}" for one in graded(point.quality))
    return (
        f"{point.measured.params:,} params; {plain(point.quality.name)} {validation}, {test}. "
        f"Its recipe: `paretune recipe {study} {point.id}`"
    )


def words(study: StudyRecord, experiment: str) -> str:
    """Describe the study in Markdown: best models at falling budgets, counts, and examples of commands and filters.

    Models are selected on validation. The text has under 5,000 characters but for names.
    """
    found = front_of(study.points, study.objectives)
    return "\n\n".join(
        [
            *_table(study),
            _counts(study, found),
            *_example(study, found, experiment),
            f"A run's figures are all of one model: a trial's, of the sparsest that loses at most {_tolerated(study)}. "
            "Below a trial are its models on the front; sort by a metric to have all in one list.",
            *_seeds(study),
            f"This is a mirror of the study's own ledger; `paretune sync {study.name}`, with the `--home` and "
            "`--tracking-uri` of the search, makes it again.",
        ]
    )


def _listed(experiment: str, wanted: str, more: str = "") -> str:
    """Return a link to the experiment's runs that match `wanted`, the smallest first; MLflow's own order nests runs."""
    order = f"orderByKey={quote('metrics.`params`')}&orderByAsc=true"
    return f"#/experiments/{experiment}/runs?searchFilter={quote(wanted)}&{order}{more}&{FOR_TRAINING}"


def _counts(study: StudyRecord, found: Sequence[Family]) -> str:
    ended = ", ".join(f"{count} {state}" for state, count in states(study.trials).items()) or "none yet"
    volume = hypervolume([family.mean for family in found], study.objectives, study.reference_point)
    return (
        f"Task {plain(study.task)}, space {plain(study.space_said)}; trials: {ended}; {len(study.points):,} models "
        f"measured, {len(found)} on the front of {plain(', '.join(study.objectives))}; hypervolume {volume:.3f}."
    )


def _example(study: StudyRecord, found: Sequence[Family], experiment: str) -> list[str]:
    """Show how to export a model and how to filter runs, by figures of the middle model of the front."""
    point = middle(found)
    if point is None:
        return []
    params, test = point.measured.params, graded(study.quality)[1]
    sign = ">=" if study.quality.higher_is_better else "<="
    key = test.metric if test.metric.isidentifier() else f'"{test.metric}"'
    example = f"metrics.params <= {params} and metrics.{key} {sign} {_bound(test, test.value(point.measured))}"
    fits = _listed(experiment, f"tags.paretune.study = '{study.name}' and {example}")
    return [
        f"To take a model away: `paretune select {study.name} --max-params {params} --export out/`. "
        f"To filter runs: [`{example}`]({fits}); the tags `method` and `front` narrow it down."
    ]


def _bound(figure: Figure, value: float) -> str:
    """Write a bound that admits the value: three decimals of a share, else four digits."""
    quality = figure.quality
    if quality.is_share:
        return f"{math.floor(1000 * value) / 1000:.3f}"
    return plain_number(value, 4, ROUND_FLOOR if quality.higher_is_better else ROUND_CEILING)


def _tolerated(study: StudyRecord) -> str:
    if study.quality == ACCURACY:
        return "a point of accuracy"
    return f"{study.quality.text(study.quality.amount(DELTA))} of {study.quality.name}"


def _seeds(study: StudyRecord) -> list[str]:
    """Explain the figures of models with several seeds, if any."""
    if not any(point.family for point in study.points):
        return []
    validation, test = graded(study.quality)
    return [
        "A model made with several seeds counts here with its means, ± half their interval of 95 %. Its run on the "
        f"front has the figures of the first seed, and beside them `seeds`, `mean_{validation.metric}`, "
        f"`mean_{test.metric}` and `margin`. The metric `hypervolume` counts every seed as a model of its own."
    ]


def plain(text: str) -> str:
    """Escape a text for Markdown that becomes HTML."""
    return html.escape(_MARKUP.sub(r"\\\1", " ".join(text.split())))


def _table(study: StudyRecord) -> list[str]:
    """Tabulate the best model under each share of the teacher's params; a repeated model only at its least share."""
    if study.teacher is None:
        return []
    rows = [f"| {share:.0%} of the teacher {_row(rated)}" for share, rated in best_models(study)]
    figures = [one.label for one in (*graded(study.quality), *_SHOWN)]
    names = ["params at most", *map(plain, figures), "model"]
    return ["\n".join([f"| {' | '.join(names)} |", f"| --- | {'---: | ' * len(figures)}--- |", *rows])]


def _row(rated: RatedModel) -> str:
    """Write a row: qualities are means over the seeds, other figures are those of the shipped model."""
    family, point, m = rated.family, rated.point, rated.point.measured
    quality, (validation, test) = family.quality, graded(family.quality)
    seeds = ""
    if family.margin is not None:
        margin = validation.style.text(quality.amount(family.margin)).removesuffix("%")
        seeds = f" ± {margin} ({len(family.points)} seeds)"
    cells = (
        f"{validation.style.text(quality.value(family.validation))}{seeds}",
        test.style.text(quality.value(family.test)),
        *(cost.written(m) for cost in _SHOWN),
        model_said(point),
    )
    return "".join(f"| {cell} " for cell in cells) + "|"
