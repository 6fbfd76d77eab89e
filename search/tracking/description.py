"""The note on the page of a study's run in MLflow, in Markdown: best models at falling budgets, and links.

Names in the note come from users, so every text is escaped, for HTML and for Markdown. A model with several seeds
counts with its means, as in `paretune front` and the report.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR
from urllib.parse import quote

from compress.figures import Figure, graded, named
from compress.quality import ACCURACY
from search.selection.amount import plain as plain_number
from search.selection.budget import Amount, Budget
from search.selection.rated import RatedModel
from search.selection.selection import choose
from search.study.breakpoints import DELTA
from search.study.front import hypervolume
from search.study.record import StudyRecord
from search.study.seeds import Family, front_of, middle

SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
"""Budgets of the table, as shares of the unpruned teacher's params."""
PAGE = "report.html"
FOR_TRAINING = "workflowType=machine_learning"
"""Part of links without which MLflow 3 shows its pages for language models."""
_SHOWN = named("params", "flops", "size_bytes")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def note(study: StudyRecord, experiment: str, run: str) -> str:
    """Write the note of the study's run, under 5,000 characters but for names; models are selected on validation.

    `experiment` and `run` are MLflow's ids, for links to other pages of the same server.
    """
    found = front_of(study.points, study.objectives)
    report = f"#/experiments/{experiment}/runs/{run}/artifacts/{PAGE}?{FOR_TRAINING}"
    one = f"tags.paretune.study = '{study.name}'"
    trials = _listed(experiment, f"{one} and tags.paretune.kind = 'trial'", "&compareRunsMode=CHART")
    best = _listed(experiment, f"{one} and tags.front = 'yes'")
    return "\n\n".join(
        [
            f"**[The report]({report})** has the front to look into, the curves and all tables. "
            f"[The curves of all trials]({trials}), [the models of the front]({best}).",
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
    states = Counter(trial.status for trial in study.trials)
    ended = ", ".join(f"{count} {status}" for status, count in states.items()) or "none yet"
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
    rows: dict[str, str] = {}
    for share in SHARES:
        budget = Budget(max_params=Amount(share, is_share=True)).resolve(study.teacher)
        fits = choose(study.points, budget).fits
        if fits:
            rows[fits[0].family.points[0].id] = f"| {share:.0%} of the teacher {_row(fits[0])}"
    figures = [one.label for one in (*graded(study.quality), *_SHOWN)]
    names = ["params at most", *map(plain, figures), "model"]
    return ["\n".join([f"| {' | '.join(names)} |", f"| --- | {'---: | ' * len(figures)}--- |", *rows.values()])]


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
        f"trial {point.trial} at {point.sparsity:.0%}" + ("" if point.variant == "float" else f", {point.variant}"),
    )
    return "".join(f"| {cell} " for cell in cells) + "|"
