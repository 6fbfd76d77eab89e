"""Options of the verbs that begin work, each the field of a dataclass: `search`, `run`, `methods`.

`paretune.search` and `paretune.run` take the same fields as arguments; only they have `show`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

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
from search.settings import Settings

if TYPE_CHECKING:
    from compress.data.tasks import Task
    from spaces.given_recipes import Given
else:  # hints of fields are resolved for `--help`, which waits for no torch
    Given = Task = object


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


@dataclass(frozen=True, kw_only=True)
class Methods:
    """`paretune methods`."""

    json: bool = json_setting()
