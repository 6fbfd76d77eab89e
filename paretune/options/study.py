"""Options of the verbs that read a study, each the field of a dataclass; those that many verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from compress.figures import FIGURES
from paretune.words.table_text import FORMATS, check_format
from search.option_fields import argument, data_setting, home_setting, json_setting, setting
from search.study.breakpoints import DELTA


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
    rows: tuple[str, ...] = setting(
        (), "Needed, names by commas: choices of the space, or distiller, stages, student ...", commas=True
    )
    columns: tuple[str, ...] = setting((), "As rows, but may be left out; sparsity is that of each point.", commas=True)
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
