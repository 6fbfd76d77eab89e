"""Paretune: search over how to compress a trained network, look at the trade-offs, take the model that fits a budget.

The verbs of the command are functions here; `paretune --help` lists the command's own.
"""

from __future__ import annotations

import paretune_names  # noqa: F401  # isort: skip  before all others: our modules are found from here on

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.quality import ACCURACY as ACCURATE
from paretune.reproduce_options import Reproduce
from paretune.verb_options import Run, Search, Select, Table, taking
from paretune.view_options import SEVERITY as DEFAULT_SEVERITY
from paretune.views import attention, attention_html, layers, robustness, speed
from paretune.views import write as _write
from search.selection.budget import Budget
from search.selection.preference import ACCURACY, LATENCY
from search.selection.selection import Selection, choose
from search.settings import Settings, home_folder
from search.study.breakpoints import Breakpoint
from search.study.breakpoints import breakpoints as find_breakpoints
from search.study.comparison import Comparison
from search.study.comparison import compare as compare_fronts
from search.study.front import DEFAULT_OBJECTIVES, hypervolume
from search.study.ledger import FILE
from search.study.named_points import named_point
from search.study.placed import named
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import front_of
from search.study.study import Study
from search.study.table import StudyTable
from search.study.tabulate import tabulate
from search.study_file import filled

if TYPE_CHECKING:
    from pandas import DataFrame

    from compress.data.augmentation import Augment
    from compress.data.make_task import make_task
    from compress.data.tasks import Task
    from compress.goals import Classification, Goal, MultiLabel, Regression, Segmentation
    from search.papers.text import Reproduction

__all__ = [
    "DEFAULT_OBJECTIVES",
    "FORMATS",
    "Augment",
    "Classification",
    "Goal",
    "MultiLabel",
    "Regression",
    "Segmentation",
    "Task",
    "attention",
    "breakpoints",
    "check_export",
    "clean",
    "compare",
    "evaluate",
    "front",
    "home_folder",
    "layers",
    "make_task",
    "methods",
    "open_study",
    "outputs",
    "recipe",
    "report",
    "reproduce",
    "robustness",
    "run",
    "search",
    "select",
    "series",
    "show",
    "speed",
    "sync",
    "table",
    "take",
    "trials",
]

FORMATS = ("pt2", "safetensors")
"""Formats a model is exported in by default."""


_LATE = {
    "Augment": "compress.data.augmentation",
    "Task": "compress.data.tasks",
    "make_task": "compress.data.make_task",
    **dict.fromkeys(("Classification", "Goal", "MultiLabel", "Regression", "Segmentation"), "compress.goals"),
}
"""Names imported on first use, by module: `paretune --help` does not wait for torch."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'paretune' has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)


def open_study(name: str, home: Path | str | None = None) -> StudyRecord:
    """A study as read from its ledger; StudyError (a ValueError) for a name without a study."""
    return Study(home_folder(home), name).record


@taking(Search, filled)
def search(asked: Search) -> StudyRecord:
    """Run or resume a search; returns the study as it stands at the end.

    The arguments are fields of `search.settings.Settings`: `search("name", trials=3, max_params="20k", home=folder)`.
    `file` names a study file (`search/study_file.py`), over whose options the arguments win. `show` draws progress on
    standard error. ValueError before anything is started, RuntimeError for failed work.
    """
    from search.beginning import launch

    return _followed(asked, launch.search, asked.show)


@taking(Run)
def run(asked: Run) -> StudyRecord:
    """Carry out given recipes as the trials of a study, after the network they begin with, unpruned.

    A recipe is a file, an export's folder, a JSON form as of `recipe`, or a `compress.recipe.Recipe`; its name in the
    study is the file's. Models in the store are not made again. ValueError before anything is started, also for a
    recipe of another task or version; RuntimeError for failed work.
    """
    from search.beginning import launch
    from search.beginning.given import settings_of

    settings = settings_of(**{name: value for name, value in vars(asked).items() if name != "show"})
    return _followed(settings, launch.search, asked.show)


@taking(Reproduce)
def reproduce(asked: Reproduce) -> Reproduction:
    """Repeat a paper's study and write its tables: `reproduce("chen2021", task="digits", seeds=3)`.

    An existing study goes on. A partly run grid gives partly filled tables. The files lie in `folder` of the result:
    tables as markdown, CSV and LaTeX, and a page with the figures. ValueError before anything is started, RuntimeError
    for failed work.
    """
    from paretune.reproducing import settings_of, write
    from search.beginning import launch

    settings = settings_of(asked)
    try:
        _followed(settings, launch.search, asked.show)
    except KeyboardInterrupt:
        if Study(settings.home, settings.name).record.points:
            write(settings, asked.out, show=asked.show)
        raise
    return write(settings, asked.out, show=asked.show)


def recipe(name: str, point: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """The whole recipe of a point, ready for JSON; `run` on the recipe gives the same point, with the same id.

    `point` is the id, its beginning, or `teacher`. ValueError if no point or several points have the id.
    """
    return dict(named_point("recipe", open_study(name, home), point).recipe)


def series(name: str, point: str, *, home: Path | str | None = None) -> DataFrame:
    """How a point's model was trained, an epoch a row, from the first step of its recipe on; a pandas frame.

    The columns are `step` from 0, `stage`, `level` (of the stage, a share or the number of a round), `epoch` from 1,
    mean `loss`, `score` (share of right answers to the augmented training images, where the quality is accuracy), `lr`,
    and where a method prunes `masked`, the share of weights, rows or filters. `point` is the id or its beginning.
    ValueError if no point or several points have the id. ValueError for a model of a version that kept no series.
    """
    import pandas as pd

    from compress.store.bucket import open_store
    from compress.store.series import chain, rows

    record = open_study(name, home)
    found = chain(open_store(record.store).series, named_point("series", record, point).id)
    if not found:
        raise ValueError(f"series: {point} of {name} must have been trained by this version, which keeps series")
    first = ["step", "stage", "level", "epoch", "loss", "score", "lr"]
    frame = pd.DataFrame(rows(found))
    return frame[[*(column for column in first if column in frame), *(c for c in frame if c not in first)]]


def _followed(wanted: Settings, carry_out: Callable[..., StudyRecord], show: bool) -> StudyRecord:
    from dashboards import report as draw
    from search.progress.follow import followed

    return followed(wanted, carry_out, draw, show=show)


def front(name: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """The study's front, ready for JSON: points by falling quality, objectives, hypervolume in [0, 1]."""
    record = open_study(name, home)
    found = front_of(record.points, record.objectives)
    means = [family.mean for family in found]
    return {
        "study": record.name,
        "objectives": list(record.objectives),
        **({} if record.quality == ACCURATE else {"quality": record.quality.as_json()}),
        "reference_point": dict(record.reference_point),
        "hypervolume": hypervolume(means, record.objectives, record.reference_point),
        "points": [{**family.points[0].as_json(), "seeds": family.as_json()} for family in found],
    }


def show(name: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """A study in short, ready for JSON: options, date, identity of the images, trials and places.

    `toml` is the study file that would repeat the study.
    """
    from search.study_options import described

    return described(Study(home_folder(home), name))


def outputs(name: str, point: str, *, home: Path | str | None = None, data: Path | None = None) -> dict[str, Any]:
    """The outputs of a point's model on `validation` and `test`, tensors `(N, ...)` in the order of the task's targets.

    `point` is the id, its beginning, or `teacher`. Outputs kept by `keep_outputs` are read; else the stored model
    computes them. ValueError if no or several points have the id, if the model is gone, or if an image has too many
    values.
    """
    from compress.store.bucket import open_store
    from compress.store.outputs import MOST, outputs_of, unpacked
    from search.shipping.verified_export import stored

    study = Study(home_folder(home), name)
    record = study.record
    found = named_point("outputs", record, point)
    packed = open_store(record.store).outputs(found.id)
    if packed is None:
        packed = outputs_of(stored(found, record).files().module(), _task(record, study, data))
    if packed is None:
        raise ValueError(f"outputs: an image must have at most {MOST:,} values, those of {record.task} have more")
    return unpacked(packed)


def trials(name: str, *, home: Path | str | None = None) -> tuple[TrialRecord, ...]:
    """All trials of a study, in the order of their numbers."""
    return open_study(name, home).trials


def breakpoints(name: str, *, home: Path | str | None = None, delta: float | None = None) -> list[Breakpoint]:
    """The breakpoints of every curve of a study; `delta` is the tolerated loss of quality, None for 0.01 of score."""
    return find_breakpoints(open_study(name, home), delta)


@taking(Table)
def table(asked: Table) -> StudyTable:
    """A study's figures by rows and columns: `table("name", rows=("distiller",), columns=("sparsity",))`.

    A cell is the mean over seeds of the figure `value`; of several recipes in a cell the best on validation. `only` is
    as of `search`. `paretune.table_text` writes the table as markdown, CSV or LaTeX. ValueError for an unknown study,
    name or figure.
    """
    record = open_study(asked.study, asked.home)
    return tabulate(record, asked.rows, asked.columns, asked.value, tuple(asked.only))


@taking(Select)
def select(asked: Select) -> Selection:
    """The best model within a budget, and why: `select("name", max_params="20k", min_accuracy="97%")`.

    `prefer` is accuracy (or quality, whatever its name), params, latency or knee; `robust` goes by the lower end of the
    confidence over seeds. With `reseed`, the best `top` models, or three if `top` is 1, are first made with so many
    seeds in all, on this machine or the Ray at `address`; `show` draws progress on standard error. Where a latency
    decides, the latencies of the models in question are measured again, here (`search/selection/latencies.py`): their
    points carry the new figures.
    """
    study = Study(home_folder(asked.home), asked.name)
    record = study.record
    budget = Budget(**asked.bounds).named(record.quality).resolve(record.teacher)
    if asked.reseed is not None:
        from search.beginning import reseed as again

        again.check_seeds(asked.reseed)
        count = asked.top if asked.top > 1 else again.FINALISTS
        wanted = again.finalists(budget, asked.prefer, count, robust=asked.reseed if asked.robust else 0)
        settings = again.settings_of(
            study, asked.reseed, data=asked.data, address=asked.address, tracking_uri=asked.tracking_uri
        )
        if again.lacks_seeds(record, wanted, asked.reseed):
            record = _followed(settings, lambda given, told: again.reseed(given, wanted, told), asked.show)
    if asked.prefer != LATENCY and budget.max_latency_ms is None:
        return choose(record.points, budget, prefer=asked.prefer, robust=asked.robust)
    from search.selection.latencies import timed

    found = timed(record, study.folder, budget, partial(_task, record, study, asked.data), robust=asked.robust)
    return replace(choose(found.points, budget, prefer=asked.prefer, robust=asked.robust), latencies=found.said)


def _task(record: StudyRecord, study: Study, data: Path | None) -> Task:
    from compress.data.tasks import load_task

    return load_task(record.task, data, cache_dir=study.home / "store" / "data", begun=study.header.get("fingerprint"))


def take(
    name: str,
    point: Point,
    folder: Path,
    *,
    budget: Mapping[str, str],
    formats: Sequence[str] = FORMATS,
    prefer: str = ACCURACY,
    robust: bool = False,
    home: Path | str | None = None,
    data: Path | None = None,
    tracking_uri: str | None = None,
    corrupt: Sequence[str] = (),
    severity: int | None = None,
) -> dict[str, Any]:
    """Export the model of a point to `folder`, measure the export in a new process, register the model in MLflow.

    Returns the measured figures, the `files` in the folder and the `registered` names. `formats` are of pt2, onnx and
    safetensors; a model is registered with its pt2 program in any case. `budget`, `prefer` and `robust` say how the
    point was chosen. `corrupt` names corruptions of the test images, under which the export is measured too, at
    `severity`, for the card (see `robustness`). ValueError for a folder or a format that cannot be written,
    RuntimeError for a failed export.
    """
    from search.shipping.release import ship

    settings = Settings(name, home=home_folder(home), data=data, tracking_uri=tracking_uri)
    point = next((one for one in open_study(name, home).points if one.id == point.id), point)  # a choice times again
    return ship(
        settings,
        point,
        folder,
        formats,
        budget=budget,
        prefer=prefer,
        robust=robust,
        corrupt=corrupt,
        severity=DEFAULT_SEVERITY if severity is None else severity,
    )


def check_export(
    name: str,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    *,
    home: Path | str | None = None,
    tracking_uri: str | None = None,
) -> None:
    """ValueError unless models of the study can be exported to `folder` in `formats`, and registered."""
    from search.shipping.release import check

    check(Settings(name, home=home_folder(home), tracking_uri=tracking_uri), folder, formats)


def report(
    name: str,
    path: Path | None = None,
    *,
    home: Path | str | None = None,
    attention: Sequence[str] = (),
    data: Path | None = None,
) -> Path:
    """Write the study's report, a single HTML file, and return its path; by default beside the ledger.

    With `attention`, points by id, a last section has attention maps of their models (see `paretune.attention`).
    ValueError for a path that cannot be written, or as of `paretune.attention`.
    """
    from dashboards import report as draw

    target = path or Study(home_folder(home), name).folder / "report.html"
    further = [attention_html(name, attention, home=home, data=data)] if attention else []
    _write("report", target, draw(open_study(name, home), *further))
    return target


def sync(name: str, *, home: Path | str | None = None, tracking_uri: str | None = None) -> None:
    """Bring MLflow up to date with the ledger; TrackingError (a ValueError) for a server that does not answer."""
    from dashboards import report as draw
    from search.tracking.client import check_reachable
    from search.tracking.sync import Sync

    settings = Settings(name, home=home_folder(home), tracking_uri=tracking_uri)
    record = open_study(name, home)
    check_reachable(settings.mlflow_uri)
    Sync.of(settings, draw).sync(record)


def compare(
    *studies: str,
    objectives: Sequence[str] = (),
    html: Path | str | None = None,
    home: Path | str | None = None,
) -> Comparison:
    """Fronts of several studies over each other, by default on all common objectives.

    A study is `NAME` of `home`, or `HOME/NAME` of another home. `html` is a file for a page with the fronts. ValueError
    for a missing study, studies of different images, too few common objectives, or a file that cannot be written.
    """
    found = compare_fronts(named(studies, home_folder(home)), objectives)
    if html is not None:
        from dashboards.comparison import comparison_page

        _write("compare", Path(html), comparison_page(found))
    return found


def methods() -> list[dict[str, str]]:
    """Every method a recipe can name: kind, name, source."""
    from compress.codec import METHODS
    from compress.models import MODELS
    from compress.models.library import LIBRARIES

    found = [{"kind": k, "name": n, "source": m.source} for k, known in METHODS.items() for n, m in known.items()]
    models = {name: family.source for name, family in MODELS.items()}
    models |= {f"{library.prefix}NAME": library.source for library in LIBRARIES.values()}
    return found + [{"kind": "model", "name": name, "source": source} for name, source in models.items()]


def evaluate(
    folder: Path | str,
    task: str | None = None,
    *,
    data: Path | None = None,
    networks: Sequence[str] = (),
    corrupt: Sequence[str] = (),
    severity: int | None = None,
) -> dict[str, Any]:
    """Measure an exported model afresh, on the task of its card or on `task` (`compress.export.evaluate_export`).

    A card does not say where a folder of images lay: ValueError asks for `task` unless the folder is found here. A
    function that makes a task runs only as `task`. The code of a user's own network runs only if `networks` names the
    network's function, `FILE.py:function` or `package.module:function`. With `corrupt`, names of corruptions, the
    quality on test images corrupted at `severity`, 1 to 5, is measured too (see `robustness`).
    """
    import torch

    from compress.corruptions import corruptions
    from compress.data.own_task import OBJECT, is_function
    from compress.data.tasks import FOLDER, load_task
    from compress.export.evaluate_export import evaluate as measure_export
    from compress.export.evaluate_export import shape_in
    from compress.export.formats import read_card
    from compress.own_code import whole_path

    hard = DEFAULT_SEVERITY if severity is None else severity
    if corrupt:
        corruptions(corrupt, hard)
    folder, networks = Path(folder), [whole_path("network", name) for name in networks]
    torch.set_num_threads(1)
    logging.getLogger("torch.export").setLevel(logging.ERROR)  # of a damaged program it logs a traceback, then raises
    named = str(read_card(folder).get("task"))
    if task is None and named.startswith(FOLDER) and not Path(named.removeprefix(FOLDER)).is_dir():
        raise ValueError(f"evaluate: {folder} was trained on {named}, which is not here; say --task folder:PATH")
    if task is None and (is_function(named) or named.startswith(OBJECT)):  # whose code nobody has asked to run
        raise ValueError(
            f"evaluate: {folder} was trained on {named}, a task of its maker's; say --task FILE.py:NAME to run one"
        )
    chosen = load_task(named if task is None else task, data, begun=shape_in(folder))
    return measure_export(folder, chosen, networks, corrupt, hard)


def clean(name: str, *, home: Path | str | None = None) -> tuple[int, int]:
    """Drop the models of points outside every front; returns their number and the bytes freed. Figures stay."""
    from search.study.clean import clean as drop

    folder = home_folder(home)
    study = Study(folder, name)
    record = study.record
    names = [path.parent.name for path in (folder / "studies").glob(f"*/{FILE}") if path.parent.name != record.name]
    with study.lock():
        return drop(study, [other for other in (Study(folder, n) for n in names) if other.exists])
