"""Functions about a study as a whole: read, tabulated, compared, drawn, mirrored, cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.quality import ACCURACY
from paretune.options.study import Table
from paretune.options.taking import taking
from paretune.verbs.files import check_place, write
from search.settings import Settings, home_folder
from search.study.breakpoints import Breakpoint
from search.study.breakpoints import breakpoints as find_breakpoints
from search.study.comparison import Comparison
from search.study.comparison import compare as compare_fronts
from search.study.front import hypervolume
from search.study.named_points import named_point
from search.study.names import named_studies
from search.study.placed import named
from search.study.record import StudyRecord, TrialRecord
from search.study.seeds import Family, families, front_of
from search.study.study import Study
from search.study.table import StudyTable
from search.study.tabulate import tabulate

if TYPE_CHECKING:
    from pandas import DataFrame


def open_study(name: str, home: Path | str | None = None) -> StudyRecord:
    """A study as read from its ledger; StudyError (a ValueError) for a name without a study."""
    return Study(home_folder(home), name).record


def front(name: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """The study's front, ready for JSON: points by falling quality, objectives, hypervolume in [0, 1]."""
    return front_as_json(open_study(name, home))


def front_as_json(record: StudyRecord) -> dict[str, Any]:
    """The result of `front` for a record."""
    found = front_of(record.points, record.objectives)
    means = [family.mean for family in found]
    return {
        "study": record.name,
        "objectives": list(record.objectives),
        **({} if record.quality == ACCURACY else {"quality": record.quality.as_json()}),
        "reference_point": dict(record.reference_point),
        "hypervolume": hypervolume(means, record.objectives, record.reference_point),
        "points": [*map(_as_json, found)],
    }


def teacher_as_json(record: StudyRecord) -> dict[str, Any] | None:
    """The unpruned teacher in the form of a front's point; None until measured."""
    found = (family for family in families(record.points) if record.teacher in family.points)
    return next(map(_as_json, found), None)


def _as_json(family: Family) -> dict[str, Any]:
    return {**family.points[0].as_json(), "seeds": family.as_json()}


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


def show(name: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """A study in short, ready for JSON: options, date, identity of the images, trials and places.

    `toml` is the study file that would repeat the study.
    """
    from search.study_options import described

    return described(Study(home_folder(home), name))


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


def recipe(name: str, point: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """The whole recipe of a point, ready for JSON; `run` on the recipe gives the same point, with the same id.

    `point` is the id, its beginning, or `teacher`. ValueError if no point or several points have the id.
    """
    return dict(named_point("recipe", open_study(name, home), point).recipe)


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
    if html is not None:
        check_place("compare", Path(html))
    found = compare_fronts(named(studies, home_folder(home)), objectives)
    if html is not None:
        from dashboards.comparison import comparison_page

        write("compare", Path(html), comparison_page(found))
    return found


def sync(name: str, *, home: Path | str | None = None, tracking_uri: str | None = None) -> None:
    """Bring MLflow up to date with the ledger; TrackingError (a ValueError) for a server that does not answer."""
    from dashboards import report as draw
    from search.tracking.client import check_reachable
    from search.tracking.sync import Sync

    settings = Settings(name, home=home_folder(home), tracking_uri=tracking_uri)
    record = open_study(name, home)
    check_reachable(settings.mlflow_uri)
    Sync.of(settings, draw).sync(record)


def clean(name: str, *, home: Path | str | None = None, dry_run: bool = False) -> tuple[int, int]:
    """Drop the models of points outside every front; returns their number and the bytes freed. Figures stay.

    With `dry_run` nothing is dropped: the numbers are those of the models that would be.
    """
    from search.study.clean import clean as drop

    folder = home_folder(home)
    study = Study(folder, name)
    record = study.record
    names = [each for each in named_studies(folder) if each != record.name]
    with study.lock():
        others = [other for other in (Study(folder, n) for n in names) if other.exists]
        return drop(study, others, dry_run=dry_run)


def methods() -> list[dict[str, str]]:
    """Every method a recipe can name: kind, name, source."""
    from compress.codec import METHODS
    from compress.models import MODELS
    from compress.models.library import LIBRARIES

    found = [{"kind": k, "name": n, "source": m.source} for k, known in METHODS.items() for n, m in known.items()]
    models = {name: family.source for name, family in MODELS.items()}
    models |= {f"{library.prefix}NAME": library.source for library in LIBRARIES.values()}
    return found + [{"kind": "model", "name": name, "source": source} for name, source in models.items()]
