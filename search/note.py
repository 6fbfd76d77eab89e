"""What a study's run opens on in MLflow: a note in Markdown with the best models at falling budgets and ways on.

Names in it are a user's own, so every text is escaped, for HTML and for Markdown.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from urllib.parse import quote

from search.budget import Amount, Budget
from search.choice import choose
from search.front import front, hypervolume
from search.record import Point, StudyRecord

SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
"""Budgets of the table, of the unpruned teacher's params."""
PAGE = "report.html"
EXAMPLE = "metrics.params < 20000 and metrics.test_accuracy > 0.9"
FOR_TRAINING = "workflowType=machine_learning"
"""Without it MLflow 3 shows its pages for language models."""
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def note(study: StudyRecord, experiment: str, run: str) -> str:
    """The note of the study's run, under 5,000 characters but for the names in it; models are chosen on validation.

    `experiment` and `run` are MLflow's ids, for the links to other pages of the same server.
    """
    report = f"#/experiments/{experiment}/runs/{run}/artifacts/{PAGE}?{FOR_TRAINING}"
    one = f"tags.paretune.study = '{study.name}'"
    trials = _listed(experiment, f"{one} and tags.paretune.kind = 'trial'", "&compareRunsMode=CHART")
    best = _listed(experiment, f"{one} and tags.front = 'yes'")
    fits = _listed(experiment, f"{one} and {EXAMPLE}")
    return "\n\n".join(
        [
            f"**[The report]({report})** has the front to look into, the curves and all tables. "
            f"[The curves of all trials]({trials}), [the models of the front]({best}).",
            *_table(study),
            _counts(study),
            f"To take a model away: `paretune select {study.name} --max-params 20k --export out/`. "
            f"To filter runs: [`{EXAMPLE}`]({fits}), `tags.method = 'kd'`. A run's figures are all of one model: a "
            "trial's, of the sparsest that loses at most a point of accuracy. Below a trial are its models on the "
            "front; sort by a metric to have all in one list.",
            f"This is a mirror of the study's own ledger; `paretune sync {study.name}` makes it again.",
        ]
    )


def _listed(experiment: str, wanted: str, more: str = "") -> str:
    """The page of an experiment's runs that are wanted, the smallest first; in MLflow's own order they are nested."""
    order = f"orderByKey={quote('metrics.`params`')}&orderByAsc=true"
    return f"#/experiments/{experiment}/runs?searchFilter={quote(wanted)}&{order}{more}&{FOR_TRAINING}"


def _counts(study: StudyRecord) -> str:
    states = Counter(trial.status for trial in study.trials)
    ended = ", ".join(f"{count} {status}" for status, count in states.items()) or "none yet"
    volume = hypervolume(study.points, study.objectives, study.reference_point)
    best = front(study.points, study.objectives)
    return (
        f"Task {plain(study.task)}, space {plain(study.space)}; trials: {ended}; {len(study.points):,} models "
        f"measured, {len(best)} on the front of {plain(', '.join(study.objectives))}; hypervolume {volume:.3f}."
    )


def plain(text: str) -> str:
    """The text as it is, in Markdown that becomes HTML."""
    return html.escape(_MARKUP.sub(r"\\\1", " ".join(text.split())))


def _table(study: StudyRecord) -> list[str]:
    """The best model under each share of the teacher's params; one that is the best under several, at the least."""
    if study.teacher is None:
        return []
    rows: dict[str, str] = {}
    for share in SHARES:
        budget = Budget(max_params=Amount(share, is_share=True)).resolve(study.teacher)
        best = choose(study.points, budget).best
        if best:
            rows[best.id] = f"| {share:.0%} of the teacher {_row(best)}"
    names = "params at most", "validation", "test", "params", "FLOPs", "bytes", "model"
    return ["\n".join([f"| {' | '.join(names)} |", "| --- | " + "---: | " * 5 + "--- |", *rows.values()])]


def _row(point: Point) -> str:
    m = point.measured
    cells = (
        f"{m.accuracy_validation:.2%}",
        f"{m.accuracy_test:.2%}",
        f"{m.params:,}",
        f"{m.flops:,}",
        f"{m.size_bytes:,}",
        f"trial {point.trial} at {point.sparsity:.0%}" + ("" if point.variant == "float" else f", {point.variant}"),
    )
    return "".join(f"| {cell} " for cell in cells) + "|"
