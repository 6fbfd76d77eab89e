"""A study file: options of a search as TOML, by their names on the command line.

    task = "digits"
    trials = 12
    max-params = "20k"

    [training]
    epochs = 30

    [recovery]
    lr = 0.01

The sections have the options of `search/training_options.py`, those of a recovery without `recovery-`. The section
`[only]` has lists of values by the names of choices. Relative paths start at the current folder.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import copyfile
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from search.option_fields import BOUND, TRAINED, Option, options_of, typed_name
from search.training_options import RECOVERY

NAME = "study.toml"
"""Name of the copy in the study's folder."""
TRAINING, RECOVERING, ONLY = "training", "recovery", "only"
_WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a text"}


def filled(made: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments `given` for the dataclass `made`, completed from the study file `given["file"]`, if any."""
    file = given.get("file")
    return {**({} if file is None else read(Path(file), made)), **given}


def read(path: Path, made: type) -> dict[str, Any]:
    """A study file as arguments of the dataclass `made`, by field; ValueError for anything else."""
    try:
        found = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        remedy = "" if path.suffix else "; a study is named with --name"
        raise ValueError(f"study file: {path} must be readable, got {error.strerror}{remedy}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"study file: {path} must be TOML, got {error}") from error
    hints, arguments = get_type_hints(made), dict[str, Any]()
    if isinstance(found.get(ONLY), dict):
        arguments[ONLY] = found.pop(ONLY)
    for section, values in (("", found), *((name, found.pop(name, {})) for name in (TRAINING, RECOVERING))):
        known = names(made, section)
        where = f"{path}: [{section}]" if section else f"{path}:"
        if not isinstance(values, dict):
            raise ValueError(f"{where} must be a section, got {values!r}")
        for key, value in values.items():
            if key not in known:
                raise ValueError(f"{where} unknown {key!r}, {_remedy(key, known, names(made, TRAINING))}")
            field, option = known[key]
            arguments[field] = _value(f"{where} {key}", value, hints[field], option)
    return arguments


def names(made: type, section: str = "") -> dict[str, tuple[str, Option]]:
    """Field and option by the key in a section of a study file, "" for the keys above all sections."""
    known = {}
    for field, option in options_of(made).items():
        if option.is_argument or (option.group == TRAINED) != bool(section):
            continue
        if not section or field.startswith(RECOVERY) == (section == RECOVERING):
            name = typed_name(field, option).removeprefix("--")
            known[name.removeprefix(f"{RECOVERING}-") if section else name] = field, option
    return known


def _remedy(key: str, known: Iterable[str], trained: Iterable[str]) -> str:
    if key.removeprefix(f"{RECOVERING}-") in trained and key not in known:
        return f"write it in the section [{RECOVERING if key.startswith(RECOVERING) else TRAINING}]"
    return f"known are {', '.join(known)}"


def _value(who: str, value: Any, hint: Any, option: Option) -> Any:
    """The field's value; ValueError for a value of another type."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if any(get_origin(kind) is tuple for kind in kinds):
        listed = value.split(",") if option.commas and isinstance(value, str) else value
        listed = [listed] if isinstance(listed, str) else listed
        if not isinstance(listed, list) or not all(isinstance(one, str | float) or _is_whole(one) for one in listed):
            raise ValueError(f"{who} must be a list of texts, got {value!r}")
        return tuple(one.strip() if isinstance(one, str) else one for one in listed)
    if option.group == BOUND and (isinstance(value, float) or _is_whole(value)):
        return str(value)
    kind = next(kind for kind in _WANTED if kind in kinds)
    fits = {int: _is_whole(value), float: isinstance(value, float) or _is_whole(value)}
    if not fits.get(kind, isinstance(value, str if kind is Path else kind)):
        raise ValueError(f"{who} must be {_WANTED[kind]}, got {value!r}")
    try:
        return option.read(value) if option.read else value
    except ValueError as error:
        raise ValueError(f"{who} {error}") from error


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def keep(file: Path | None, folder: Path) -> None:
    """Copy the study file, if any, to the study's folder; ValueError if the file cannot be copied."""
    if file is not None:
        try:
            copyfile(file, folder / NAME)
        except OSError as error:
            raise ValueError(f"study file: {file} must be readable, got {error.strerror}") from error


def written(made: type, arguments: Mapping[str, Any]) -> str:
    """A study file with these arguments of the dataclass `made`, by field; None is left out."""
    parts = []
    for section in ("", TRAINING, RECOVERING):
        lines = [
            f"{key} = {_toml(arguments[field])}"
            for key, (field, _) in names(made, section).items()
            if arguments.get(field) is not None and not isinstance(arguments[field], Mapping)
        ]
        if lines:
            parts.append("\n".join([f"[{section}]", *lines] if section else lines))
    if isinstance(arguments.get(ONLY), Mapping):
        lines = [f"{json.dumps(name)} = {_toml(values)}" for name, values in arguments[ONLY].items()]
        parts.append("\n".join([f"[{ONLY}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML's texts escape as JSON's do
