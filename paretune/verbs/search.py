"""Functions that begin work: a search, given recipes, a paper's study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.machine.resources import usable_cpus
from paretune.options.reproduce import Reproduce
from paretune.options.search import Run, Search
from paretune.options.taking import taking
from paretune.verbs.home import go_on
from search.selection.budget import BOUNDS
from search.settings import Settings, home_folder
from search.study.endings import INTERRUPTED
from search.study.names import StudyError
from search.study.record import StudyRecord
from search.study.study import Study
from search.study_file import filled

if TYPE_CHECKING:
    from search.papers.text import Reproduction


def as_begun(made: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments `given` for the dataclass `made`, completed from the study file and from the study resumed.

    A study goes on with the options of its beginning, but not with those of a machine: places, databases, GPUs.
    StudyError for a study of given recipes, where `made` takes none.
    """
    found = filled(made, given)
    if not found.get("resume"):
        return found
    known = {each.name: each.default for each in fields(made)}
    study = Study(home_folder(found.get("home")), found.get("name", known["name"]))
    if not study.exists:
        return found
    if "recipes" in study.header and "recipes" not in known:
        command = go_on(study.name, study.home, of_recipes=True)
        raise StudyError(f"study {study.name}: was begun by paretune run; `{command}` goes on")
    from search.study_options import arguments_of

    begun = {**arguments_of(study), "space": study.header["space"], "scale": study.header.get("scale")}
    begun["gpus_per_trial"] = None  # as this machine has GPUs
    if not found.get("address"):
        begun["cpus_per_trial"] = min(begun["cpus_per_trial"], usable_cpus())
    kept = {name for name in begun if name in known and name not in BOUNDS}  # a study has its bounds in the header
    return {**{name: begun[name] for name in kept if begun[name] is not None}, **found}


@taking(Search, as_begun)
def search(asked: Search) -> StudyRecord:
    """Run or resume a search; returns the study as it stands at the end.

    The arguments are fields of `search.settings.Settings`: `search("name", trials=3, max_params="20k", home=folder)`.
    `file` names a study file (`search/study_file.py`), over whose options the arguments win. `show` draws progress on
    standard error; as "json-lines" it writes progress to standard output, as lines of JSON. ValueError before anything
    is started, RuntimeError for failed work.
    """
    from search.beginning import launch

    return follow(asked, launch.search, asked.show)


@taking(Run, as_begun)
def run(asked: Run) -> StudyRecord:
    """Carry out given recipes as the trials of a study, after the network they begin with, unpruned.

    A recipe is a file, an export's folder, a JSON form as of `recipe`, or a `compress.recipe.Recipe`; its name in the
    study is the file's. Models in the store are not made again. ValueError before anything is started, also for a
    recipe of another task or version; RuntimeError for failed work.
    """
    from search.beginning import launch
    from search.beginning.given import settings_of

    settings = settings_of(**{name: value for name, value in vars(asked).items() if name != "show"})
    return follow(settings, launch.search, asked.show)


@taking(Reproduce)
def reproduce(asked: Reproduce) -> Reproduction:
    """Repeat a paper's study and write its tables: `reproduce("chen2021", task="digits", seeds=3)`.

    An existing study goes on. A partly run grid gives partly filled tables. The files lie in `folder` of the result:
    tables as markdown, CSV and LaTeX, and a page with the figures. ValueError before anything is started, RuntimeError
    for failed work. KeyboardInterrupt after Ctrl-C, with the tables of what is there: the same call goes on.
    """
    from paretune.verbs.reproduce import settings_of, write
    from search.beginning import launch

    settings = settings_of(asked)
    out = None if asked.out is None else Path(asked.out)
    try:
        record = follow(settings, launch.search, asked.show)
        if any(trial.reason == INTERRUPTED for trial in record.trials):
            raise KeyboardInterrupt
    except (KeyboardInterrupt, RuntimeError):  # there may be models nevertheless
        study = Study(settings.home, settings.name)  # as it stands now
        if study.exists and study.record.points:
            write(settings, out, show=asked.show)
        raise
    return write(settings, out, show=asked.show)


def follow(wanted: Settings, carry_out: Callable[..., StudyRecord], show: bool | str) -> StudyRecord:
    """Carry out a search, mirrored in MLflow; with `show` progress is drawn on standard error.

    With `show` as "json-lines" progress goes to standard output, as lines of JSON.
    """
    from dashboards import report as draw
    from search.progress.follow import followed

    return followed(wanted, carry_out, draw, show=show)
