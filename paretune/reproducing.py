"""Repeat a paper's study: run or go on with its grid, then write tables, verdicts and figures."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretune.reproduce_options import TRIAL_IMAGES, Reproduce
from search.settings import Settings, home_folder, whole_task
from search.study.study import Study

if TYPE_CHECKING:
    from search.papers.text import Reproduction

PAGE = "paper.html"
OWN = ("paper", "name", "trial_run", "images", "out", "show")
"""Fields of `Reproduce` that are none of `Settings`."""


def settings_of(asked: Reproduce) -> Settings:
    """Return the settings of the paper's grid; ValueError for an unknown paper or a setting that makes no sense."""
    from spaces.papers import PAPERS

    if asked.paper not in PAPERS:
        raise ValueError(f"reproduce: unknown paper {asked.paper!r}, known are {', '.join(PAPERS)}")
    task = whole_task(asked.task)
    name = asked.name or f"{asked.paper}-{''.join(sign if sign.isalnum() else '-' for sign in asked.task)[-40:]}"
    brief = {}
    if asked.trial_run:
        from compress.data.few_images import named

        task = named(task, asked.images or TRIAL_IMAGES)
        brief = {"epochs": 1, "recovery_epochs": 1}
        name = name if asked.name else f"{name}-trial-run"
    home = home_folder(asked.home)
    shared = {each.name: getattr(asked, each.name) for each in fields(asked) if each.name in _FIELDS}
    told: dict[str, Any] = {**shared, **brief, "task": task, "home": home}
    return Settings(
        name,
        space=asked.paper,
        sampler="grid",
        whole_curves=True,
        resume=Study(home, name).exists,
        **told,
    )


def write(settings: Settings, out: Path | None) -> Reproduction:
    """Evaluate the study so far, and write its tables and its page to `out`, in the study's folder if None.

    MLflow gets the files too, in the study's run.
    """
    from dashboards.papers.page import paper_page
    from search.papers import reproduce
    from search.papers.values import Values
    from search.tracking.sync import Sync

    study = Study(settings.home, settings.name)
    found = reproduce.evaluated(study)
    folder = out or study.folder / reproduce.FOLDER
    files = reproduce.write(found, folder)
    (folder / PAGE).write_text(paper_page(found, Values(study.record)), encoding="utf-8")
    Sync.of(settings).store([*files, folder / PAGE], reproduce.FOLDER)
    return replace(found, folder=folder)


_FIELDS = {each.name for each in fields(Settings)} - set(OWN)
