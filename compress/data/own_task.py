"""A user's own task: made by a function, `FILE.py:NAME` or `package.module:NAME`, or offered as an object.

A function is called without arguments, once a process. An offered object has the name `object:NAME`: workers of a
search get the object from the driver, and no other process knows it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from compress import own_code
from compress.data.splits import DataError
from compress.errors import RecipeError, is_complaint, place_of, said
from compress.own_code import FILE, call, guarding_settings, import_module, split_path

if TYPE_CHECKING:
    from compress.data.tasks import Task

OBJECT = "object:"
"""Prefix of the name of an offered task."""
_FORM = re.compile(r".+:[^\W\d]\w*", re.DOTALL)
_OFFERED: dict[str, Task] = {}


def is_function(name: str) -> bool:
    """Whether a task's name is the path of a function."""
    return bool(_FORM.fullmatch(name)) and not name.startswith((OBJECT, "folder:"))


def whole_path(name: str) -> str:
    """Return the path of a function with the absolute path of its file; DataError for another form."""
    try:
        return own_code.whole_path("task", name)
    except RecipeError as error:
        raise DataError(str(error)) from error


def title(name: str) -> str:
    """Return the path of a function without the folders of its machine."""
    return name.rpartition("/")[2] if is_function(name) and FILE in name else name


def from_function(name: str) -> Task:
    """Import and call the function, and return its task under the name of the function.

    DataError if the function cannot be imported, raises, or returns something else. A complaint of `make_task` or of a
    goal is quoted alone, between the function's name and the place in its file.
    """
    from compress.data.tasks import Task

    place, attribute = split_path("task", name)
    try:
        function = getattr(import_module(name, place), attribute, None)
    except RecipeError as error:
        raise DataError(str(error)) from error
    if function is None:
        raise DataError(f"{name}: {place} must have a function {attribute}, it has none")
    if isinstance(function, Task):  # made when the module was imported
        return replace(function, name=name)
    if not callable(function):
        raise DataError(f"{name}: must be a function that returns a Task, got a {type(function).__name__}")
    try:
        with guarding_settings(name):
            made = call(function, ())
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        place = place_of(error)
        if is_complaint(error) or isinstance(error, DataError):
            raise DataError(f"{name}: {error} ({place})" if place else str(error)) from error
        called = "" if place else " when called without arguments"
        raise DataError(f"{name}: must return a Task{called}, got {said(error)}") from error
    if not isinstance(made, Task):
        raise DataError(f"{name}: must return a Task, as paretune.make_task does, got a {type(made).__name__}")
    return replace(made, name=name)


def offer(task: object) -> str:
    """Make a task known in this process and return its name, `object:NAME`; DataError for anything else."""
    from compress.data.tasks import Task

    if not isinstance(task, Task):
        raise DataError(f"task: must be a name or a Task, got a {type(task).__name__}")
    name = task.name if task.name.startswith(OBJECT) else OBJECT + task.name
    _OFFERED[name] = replace(task, name=name)
    return name


def offered(name: str) -> Task:
    """Return the task offered under the name; DataError in a process that was offered none."""
    if name not in _OFFERED:
        raise DataError(
            f"{name}: the task was given as an object, and this process has none; give paretune.search(task=...) the "
            "object again, or write a function that returns it and name the function, FILE.py:NAME"
        )
    return _OFFERED[name]
