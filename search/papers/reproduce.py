"""Evaluate a paper's study: fill the tables, judge the claims, count the shared work, and write all as files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from search.papers.fill import fill
from search.papers.shared_work import shared_work
from search.papers.text import Reproduction, csv, latex_text, markdown
from search.papers.values import Beside, Values
from search.papers.verdict import judge
from search.study.study import Study, StudyError
from spaces.papers import PAPERS

FOLDER = "paper"
"""Folder of the tables in a study's folder."""
FORMS: dict[str, Callable[[Reproduction], str]] = {"tables.md": markdown, "tables.csv": csv, "tables.tex": latex_text}


def evaluated(study: Study, beside: Beside = lambda point, figure: None) -> Reproduction:
    """Return the evaluation of a study so far; StudyError for a study of no paper, or without a model."""
    record, header = study.record, study.header
    paper = PAPERS.get(record.space)
    if paper is None:
        raise StudyError(
            f"study {study.name}: must be of a paper's space, {', '.join(PAPERS)}, got one of {record.space}"
        )
    if not record.points:
        raise StudyError(f"study {study.name}: must have a model, it has none yet; go on with --resume")
    values = Values(record, beside)
    first = record.points[0].measured
    return Reproduction(
        paper,
        record.name,
        f"{record.task}, scale {header.get('scale', 'of an earlier version')}",
        f"{first.device}, {first.threads} threads, {first.machine}",
        time.strftime("%Y-%m-%d"),
        header.get("options", {}).get("seeds", 1),
        fill(paper, record.task, values),
        tuple(judge(claim, values) for claim in paper.claims(record.task)),
        shared_work((trial.recipe for trial in record.trials), header["fingerprint"]),
        bool(header.get("training", {}).get("epochs")),
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
