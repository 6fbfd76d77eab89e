"""Questions to the verbs: a dataclass for each verb of the command, its fields the verb's options.

`paretune.search` and `paretune.select` take the same fields as arguments; only they have `show`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from compress.figures import FIGURES
from paretune.table_text import FORMATS, check_format
from paretune.view_options import check_corrupt, corrupt_setting, severity_setting
from search.option_fields import (
    SHARED,
    argument,
    data_setting,
    home_setting,
    json_setting,
    setting,
    setting_of,
    tracking_setting,
)
from search.selection.budget import Budget
from search.selection.preference import ACCURACY, PREFERENCES, QUALITY, check_preference
from search.settings import Settings
from search.study.breakpoints import DELTA

if TYPE_CHECKING:
    from compress.data.tasks import Task
    from spaces.given_recipes import Given
else:  # hints of fields are resolved for `--help`, which waits for no torch
    Given = Task = object

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")


def taking(
    made: Callable[P, A], filled: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None
) -> Callable[[Callable[[A], R]], Callable[P, R]]:
    """Give a function of a value the parameters of the value's class: `@taking(Search) def search(asked: Search)`.

    `filled(made, given)` may add arguments to those given.
    """

    def of(carry_out: Callable[[A], R]) -> Callable[P, R]:
        @wraps(carry_out)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            _check_names(carry_out.__name__, kwargs, signature(made).parameters)
            if filled is None:
                return carry_out(made(*args, **kwargs))
            given = signature(made).bind(*args, **kwargs).arguments
            return carry_out(cast(Callable[..., A], made)(**filled(made, given)))

        returned = signature(carry_out).return_annotation
        call.__signature__ = signature(made).replace(return_annotation=returned)  # type: ignore[attr-defined]
        return call

    return of


def _check_names(who: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError, as Python does, for an argument of another name; the message has the nearest names."""
    for name in given:
        if name not in known:
            near = ", ".join(get_close_matches(name, known, 3)) or ", ".join(known)
            raise TypeError(f"{who}: unknown argument {name!r}, near are {near}")


@dataclass(frozen=True, kw_only=True)
class Search(Settings):
    """The arguments of `paretune.search`: `Settings`, and `show` to draw progress on standard error."""

    home: Path | str | None = home_setting()  # type: ignore[assignment]  # a path once it is made
    show: bool | str = True


@dataclass(frozen=True, kw_only=True)
class SearchTyped(Settings):
    """`paretune search`."""

    quiet: bool = setting(False, "Show no progress and no notes, the result alone.", group=SHARED)
    json_lines: bool = setting(
        False, "Write progress and the result as JSON to standard output, an event a line.", group=SHARED
    )


@dataclass(frozen=True)
class Run:
    """The arguments of `paretune.run`, and of the command without `show`.

    `recipes` are files, exports, JSON forms or recipes. Without recipes the study is resumed with the recipes it was
    begun with. `task` None means the recipes' own task. The other fields are as of `Settings`.
    """

    recipes: tuple[Given, ...] | list[Given] | Given = field(
        default=(), metadata=argument("Files of recipes, such as `paretune recipe` prints, or exports.", "recipe")
    )
    name: str = setting_of(Settings, "name")
    _: KW_ONLY
    task: str | Task | None = setting(
        None, "Task of the recipes: the place of a folder, or a task of your own, whose code may run.", metavar="TEXT"
    )
    networks: tuple[str, ...] = setting(
        (),
        "module:function of a network or optimizer of your own in the recipes, whose code may run.",
        name="network",
    )
    objectives: tuple[str, ...] = setting_of(Settings, "objectives")
    seeds: int = setting(1, "Make every recipe with so many seeds in all.")
    time_budget_s: float | None = setting_of(Settings, "time_budget_s")
    trial_limit_s: float | None = setting_of(Settings, "trial_limit_s")
    resume: bool = setting_of(Settings, "resume")
    address: str | None = setting_of(Settings, "address")
    cpus_per_trial: int = setting_of(Settings, "cpus_per_trial")
    gpus_per_trial: float | None = setting_of(Settings, "gpus_per_trial")
    storage_url: str | None = setting_of(Settings, "storage_url")
    store: str | None = setting_of(Settings, "store")
    home: Path | str | None = home_setting()
    data: Path | None = data_setting()
    tracking_uri: str | None = tracking_setting()
    show: bool | str = True

    def __post_init__(self) -> None:
        given = self.recipes
        object.__setattr__(self, "recipes", tuple(given) if isinstance(given, tuple | list) else (given,))


@dataclass(frozen=True)
class RunTyped(Run):
    """`paretune run`."""

    _: KW_ONLY
    quiet: bool = setting_of(SearchTyped, "quiet")
    json_lines: bool = setting_of(SearchTyped, "json_lines")


def show_of(typed: SearchTyped | RunTyped) -> bool | str:
    """Return `show` as of `paretune.search`; ValueError for `quiet` with `json_lines`."""
    if typed.quiet and typed.json_lines:
        raise ValueError("quiet and json-lines must not come together, got both")
    return "json-lines" if typed.json_lines else not typed.quiet


@dataclass(frozen=True)
class Select(Budget):
    """The arguments of `paretune.select`: a budget, how to choose within the budget, and seeds to be made before.

    `prefer` is accuracy (or quality, which is the same), params, latency or knee; `top` is at least 1. ValueError for
    other values.
    """

    name: str = field(metadata=argument("Name of the study.", "study", is_study=True))
    _: KW_ONLY
    prefer: str = setting(ACCURACY, f"What is best within the budget: {', '.join(PREFERENCES)}.")
    robust: bool = setting(False, "Compare by the lower end of the 95 % confidence over seeds.")
    reseed: int | None = setting(None, "First make the best, three or --top, with so many seeds in all.")
    top: int = setting(1, "Show so many of the points within the budget, the best first.")
    address: str | None = setting(None, "A running Ray cluster for --reseed, such as auto.")
    home: Path | str | None = home_setting()
    data: Path | None = data_setting()
    tracking_uri: str | None = tracking_setting()
    show: bool = True

    def __post_init__(self) -> None:
        if self.prefer == QUALITY:
            object.__setattr__(self, "prefer", ACCURACY)
        check_preference(self.prefer)
        if self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")
        super().__post_init__()


@dataclass(frozen=True)
class SelectAndExport(Select):
    """`paretune select`: the choice, and where the chosen model is written.

    ValueError for `address` without `reseed`, `format` without `export`, or an empty `export`.
    """

    _: KW_ONLY
    export: str | None = setting(None, "Write the model to this folder, prove it, register it.", metavar="PATH")
    format: tuple[str, ...] | None = setting(
        None, "What to write there: pt2, onnx, safetensors; without onnx if left out.", commas=True
    )
    corrupt: tuple[str, ...] = corrupt_setting()
    severity: int | None = severity_setting()
    json: bool = json_setting()

    def __post_init__(self) -> None:
        check_corrupt(self.corrupt, self.severity)
        if self.corrupt and self.export is None:
            raise ValueError(f"corrupt must come with --export DIR, got {','.join(self.corrupt)!r} alone")
        if self.address is not None and self.reseed is None:
            raise ValueError(f"address must come with --reseed N, got {self.address!r} alone")
        if self.format is not None and self.export is None:
            raise ValueError(f"format must come with --export DIR, got {','.join(self.format)!r} alone")
        if self.export == "":
            raise ValueError("export must name a folder, got ''")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class OfStudy:
    """`paretune clean`; also the options common to the verbs for a study that exists."""

    study: str = field(metadata=argument("Name of the study.", is_study=True))
    home: Path | None = home_setting()


@dataclass(frozen=True, kw_only=True)
class Listing(OfStudy):
    """`paretune front` and `paretune trials`."""

    json: bool = json_setting()


@dataclass(frozen=True, kw_only=True)
class Show(Listing):
    """`paretune show`. ValueError for `json` with `toml`."""

    toml: bool = setting(False, "Print the study file that would repeat the study.")

    def __post_init__(self) -> None:
        if self.json and self.toml:
            raise ValueError("show: json and toml must not come together, got both")


@dataclass(frozen=True, kw_only=True)
class RecipeOf(OfStudy):
    """`paretune recipe`."""

    point: str = field(metadata=argument("Id of a point of the study, or its beginning."))


@dataclass(frozen=True, kw_only=True)
class SeriesOf(Listing):
    """`paretune series`."""

    point: str = field(metadata=argument("Id of a point of the study, or its beginning."))


@dataclass(frozen=True, kw_only=True)
class Breakpoints(Listing):
    """`paretune breakpoints`."""

    delta: float | None = setting(None, f"Tolerated loss of quality; of accuracy in [0, 1], {DELTA} if left out.")


@dataclass(frozen=True)
class Table:
    """The arguments of `paretune.table`; `only` has items as `NAME=VALUE,VALUE`, or values by name."""

    study: str = field(metadata=argument("Name of the study.", is_study=True))
    _: KW_ONLY
    rows: tuple[str, ...] = setting((), "Choices of the space, or distiller, stages, student ...", commas=True)
    columns: tuple[str, ...] = setting((), "As rows; sparsity is that of each point.", commas=True)
    value: str = setting("test", f"Figure in the cells: {', '.join(one.key for one in FIGURES)}.")
    only: tuple[str, ...] | Mapping[str, object] = setting(
        (), "NAME=VALUE,VALUE: take only such points; more than once for several names.", metavar="NAME=VALUES"
    )
    home: Path | str | None = home_setting()

    def __post_init__(self) -> None:
        if isinstance(self.only, Mapping):
            texts = tuple(f"{name}={_with_commas(values)}" for name, values in self.only.items())
            object.__setattr__(self, "only", texts)


def _with_commas(values: object) -> str:
    return ",".join(map(str, values)) if isinstance(values, tuple | list) else str(values)


@dataclass(frozen=True)
class PrintedTable(Table):
    """`paretune table`: the table, and how it is written. ValueError for an unknown format."""

    _: KW_ONLY
    format: str = setting("md", f"How to write it: {', '.join(FORMATS)}.")
    json: bool = json_setting()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_format(self.format)


@dataclass(frozen=True, kw_only=True)
class Compare:
    """`paretune compare`."""

    studies: tuple[str, ...] = field(
        metadata=argument("Two studies or more: NAME, or HOME/NAME of another home.", is_study=True)
    )
    objectives: tuple[str, ...] = setting((), "Compare on these; on those all have in common if left out.", commas=True)
    html: Path | None = setting(None, "Write the fronts as a page to this file.")
    home: Path | None = home_setting()
    json: bool = json_setting()


@dataclass(frozen=True, kw_only=True)
class Report(Listing):
    """`paretune report`."""

    out: Path | None = setting(None, "File to write; report.html in the study's folder if left out.")
    beside: tuple[str, ...] = setting(
        (), "Add the fronts of other studies, names by commas, HOME/NAME of another home.", commas=True
    )
    robustness: tuple[str, ...] = setting(
        (), "Add the quality of these points on corrupted test images, ids by commas.", commas=True
    )
    attention: tuple[str, ...] = setting((), "Add attention maps of these points, ids by commas.", commas=True)
    data: Path | None = data_setting()


@dataclass(frozen=True, kw_only=True)
class Sync(Listing):
    """`paretune sync`."""

    tracking_uri: str | None = tracking_setting()


@dataclass(frozen=True, kw_only=True)
class Methods:
    """`paretune methods`."""

    json: bool = json_setting()


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """`paretune evaluate`."""

    folder: Path = field(metadata=argument("An exported model."))
    task: str | None = setting(None, "Task to measure the model on; its card's if left out.")
    networks: tuple[str, ...] = setting(
        (), "FILE.py:function or package.module:function of a network of your own, whose code may run.", name="network"
    )
    corrupt: tuple[str, ...] = corrupt_setting()
    severity: int | None = severity_setting()
    data: Path | None = data_setting()
    json: bool = json_setting()

    def __post_init__(self) -> None:
        check_corrupt(self.corrupt, self.severity)
