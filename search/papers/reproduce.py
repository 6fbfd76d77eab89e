"""Evaluate a paper's study: fill the tables, judge the claims, count the shared work, and write all as files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from compress.data.tasks import Task, shown
from search.papers.fill import fill
from search.papers.measured import Measured, Progress
from search.papers.shared_work import shared_work
from search.papers.text import Reproduction, csv, latex_text, markdown
from search.papers.values import Values
from search.papers.verdict import judge
from search.study.names import StudyError
from search.study.study import Study
from spaces.papers import PAPERS, Paper

FOLDER = "paper"
"""Folder of the tables in a study's folder."""
FORMS: dict[str, Callable[[Reproduction], str]] = {"tables.md": markdown, "tables.csv": csv, "tables.tex": latex_text}


def paper_of(study: Study) -> Paper:
    """Return the paper of a study; StudyError for a study of no paper, or without a model."""
    record = study.record
    if record.space not in PAPERS or record.scale is None:
        raise StudyError(
            f"study {study.name}: must be of a paper's space, {', '.join(PAPERS)}, and of a scale, got one of "
            f"{record.space_said}"
        )
    if not record.points:
        raise StudyError(f"study {study.name}: must have a model, it has none yet; the same command goes on")
    return PAPERS[record.space]


def measured(study: Study, folder: Path, task: Task, on_progress: Progress = lambda what, done, of: None) -> Values:
    """Return the values of the study's cells, figures beside those of the points measured; `folder` keeps them."""
    paper, beside = paper_of(study), Measured(study.record, folder)
    values = Values(study.record, beside)
    fill(paper, study.record.task, values)
    for claim in paper.claims(study.record.task):
        judge(claim, values)
    beside.measure(task, on_progress)
    return values


def evaluated(study: Study, values: Values) -> Reproduction:
    """Return the evaluation of a paper's study so far."""
    paper, record, header = paper_of(study), study.record, study.header
    first = record.points[0].measured
    return Reproduction(
        paper,
        record.name,
        f"{shown(record.task)}, scale {record.scale}",
        f"{first.device}, {first.threads} {'threads' if first.threads > 1 else 'thread'}, {first.machine}",
        time.strftime("%Y-%m-%d"),
        header.get("options", {}).get("seeds", 1),
        fill(paper, record.task, values),
        tuple(judge(claim, values) for claim in paper.claims(record.task)),
        shared_work((trial.recipe for trial in record.trials), header["fingerprint"]),
        bool(header.get("training", {}).get("epochs")),
        "; ".join(f"{name}={', '.join(map(str, values))}" for name, values in header.get("only", {}).items()),
    )


def write(found: Reproduction, folder: Path) -> list[Path]:
    """Write the tables in every form into `folder`; ValueError if the disk refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, form in FORMS.items():
            (folder / name).write_text(form(found), encoding="utf-8")
    except OSError as error:
        raise ValueError(f"reproduce: cannot write {folder}: {error.strerror}") from error
    return [folder / name for name in FORMS]
