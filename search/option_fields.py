"""Options of the command as dataclass fields: default, help text and spelling stand in the field.

    trials: int = setting(24, "Trials of the study in all.")

`paretune/commands/signature.py` makes the parameters of the command from such fields. A field without an option is for
Python callers alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
OWN, TRIED, MACHINE, TRAINED, BOUND, SHARED = range(6)
"""Groups of options, in the order of `--help`.

The verb's own, what a search tries, the machines and seconds of trials, trainings, bounds of a budget, and places and
options of several verbs.
"""
_KEY = "option"


@dataclass(frozen=True)
class Option:
    """How a person types a field.

    `help` is the text of `--help`. `name` is the option's name without dashes, "" for the field's own. `metavar`
    stands for the value in `--help`, None for the name of its type. `read` turns typed text into the value, and raises
    ValueError for unreadable text. With `commas` a tuple is typed as a word with commas; else the option is repeated.
    With `is_argument` the field has no dashes, and must be typed unless it has a default. `group` is a group such as
    `OWN`. With `is_study` the value names a study, which a shell may complete.
    """

    help: str
    name: str = ""
    metavar: str | None = None
    read: Callable[[str], object] | None = None
    commas: bool = False
    is_argument: bool = False
    group: int = OWN
    is_study: bool = False


def setting(
    default: T,
    help: str,
    *,
    name: str = "",
    metavar: str | None = None,
    read: Callable[[str], object] | None = None,
    commas: bool = False,
    group: int = OWN,
) -> T:
    """A dataclass field with a default, shown as an option of the command; further arguments as of `Option`."""
    return field(default=default, metadata={_KEY: Option(help, name, metavar, read, commas, group=group)})


def argument(help: str, name: str = "", *, is_study: bool = False) -> dict[str, Option]:
    """Metadata of a dataclass field that is an argument of the command: `field(metadata=argument("..."))`."""
    return {_KEY: Option(help, name, is_argument=True, is_study=is_study)}


def setting_of(made: Any, name: str) -> Any:
    """Return a field with the default and the option of a field of another dataclass."""
    (same,) = (each for each in fields(made) if each.name == name)
    return field(default=same.default, metadata=same.metadata)


def options_of(made: Any) -> dict[str, Option]:
    """The options of a dataclass by field, in the order of `--help`."""
    found = {each.name: each.metadata[_KEY] for each in fields(made) if _KEY in each.metadata}
    return dict(sorted(found.items(), key=lambda named: (not named[1].is_argument, named[1].group)))


def typed_name(field_name: str, option: Option) -> str:
    """`--time-budget` for the field `time_budget_s`; the bare name for an argument."""
    name = option.name or field_name.replace("_", "-")
    return name if option.is_argument else f"--{name}"


def home_setting() -> Any:
    """`--home`; None stands for the folder of `search.settings.home_folder`."""
    text = "Folder of all studies, models and MLflow's files; PARETUNE_HOME, else ./paretune-runs, if left out."
    return setting(None, text, metavar="PATH", read=_folder, group=SHARED)


def data_setting() -> Any:
    """`--data`; None stands for PARETUNE_DATA, else ./data."""
    text = "Folder of published data sets; PARETUNE_DATA, else ./data, if left out."
    return setting(None, text, metavar="PATH", read=_folder, group=SHARED)


def tracking_setting() -> Any:
    """`--tracking-uri`; None stands for the home's own database."""
    return setting(None, "MLflow server; the home's own database if left out.", group=SHARED)


def json_setting() -> Any:
    """`--json`."""
    return setting(False, "Print JSON and nothing else.", group=SHARED)


def _folder(text: str) -> Path:
    """A folder as typed; an empty text, such as of a variable that is not set, is no current folder."""
    if not text:
        raise ValueError("must name a folder, got ''")
    return Path(text)
