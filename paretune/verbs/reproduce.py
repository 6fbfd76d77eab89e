"""Repeat a paper's study: run or go on with its grid, then write tables, verdicts and figures."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretune.options.reproduce import TRIAL_IMAGES, Reproduce
from search.sampling.optuna_study import GRID
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
    brief: dict[str, Any] = {}
    if asked.trial_run:
        from compress.data.few_images import named

        task = named(task, asked.images or TRIAL_IMAGES)
        brief = {"epochs": 1, "recovery_epochs": 1}
        name = name if asked.name else f"{name}-trial-run"
    home = home_folder(asked.home)
    given: dict[str, Any] = {each.name: getattr(asked, each.name) for each in fields(asked) if each.name not in OWN}
    given |= {**brief, "task": task, "home": home, "resume": Study(home, name).exists}
    return Settings(name, space=asked.paper, sampler=GRID, whole_curves=True, **given)


def write(settings: Settings, out: Path | None, *, show: bool = True) -> Reproduction:
    """Evaluate the study so far, and write its tables and its page to `out`, in the study's folder if None.

    MLflow gets the files too, in the study's run; trouble there is noted alone.
    """
    from compress.data.tasks import load_task
    from compress.training.loop import training_device
    from dashboards.papers.page import paper_page
    from search.papers import reproduce
    from search.tracking.client import TrackingError
    from search.tracking.sync import Sync

    study = Study(settings.home, settings.name)
    folder = out or study.folder / reproduce.FOLDER
    task = load_task(settings.task_name, settings.data, cache_dir=study.home / "store" / "data")
    task = task.to(training_device())
    values = reproduce.measured(study, folder, task, _say if show else lambda what, done, of: None)
    found = reproduce.evaluated(study, values)
    files = reproduce.write(found, folder)
    (folder / PAGE).write_text(paper_page(found, values, task), encoding="utf-8")
    try:
        Sync.of(settings).store([*files, folder / PAGE], reproduce.FOLDER)
    except TrackingError as error:  # the files are there
        print(f"note: {error}", file=sys.stderr)
    return replace(found, folder=folder)


def _say(what: str, done: int, of: int) -> None:
    print(f"measuring {what}" + (f", {done} of {of} models" if of > 1 else ""), file=sys.stderr)
