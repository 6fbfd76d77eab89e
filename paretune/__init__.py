"""Paretune: search over how to compress a trained network, look at the trade-offs, take the model that fits a budget.

The verbs of the command are functions here; `paretune --help` lists the command's own.
"""

from __future__ import annotations

import paretune_names  # noqa: F401  # isort: skip  before all others: our modules are found from here on

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paretune.notebook import OpenedStudy, open
from paretune.verbs.attention import attention
from paretune.verbs.home import delete, deletion, rename, status, stop, studies
from paretune.verbs.model import FORMATS, check_export, evaluate, outputs, select, take
from paretune.verbs.report import report
from paretune.verbs.search import reproduce, run, search
from paretune.verbs.study import (
    breakpoints,
    clean,
    compare,
    front,
    methods,
    open_study,
    recipe,
    series,
    show,
    sync,
    table,
    trials,
)
from paretune.verbs.view import layers, robustness, speed
from paretune.words.table_text import table_text
from search.settings import home_folder
from search.study.front import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    from compress.data.augmentation import Augment
    from compress.data.make_task import make_task
    from compress.data.tasks import Task
    from compress.goals import Classification, Goal, MultiLabel, Regression, Segmentation

__all__ = [
    "DEFAULT_OBJECTIVES",
    "FORMATS",
    "Augment",
    "Classification",
    "Goal",
    "MultiLabel",
    "OpenedStudy",
    "Regression",
    "Segmentation",
    "Task",
    "attention",
    "breakpoints",
    "check_export",
    "clean",
    "compare",
    "delete",
    "deletion",
    "evaluate",
    "front",
    "home_folder",
    "layers",
    "make_task",
    "methods",
    "open",
    "open_study",
    "outputs",
    "recipe",
    "rename",
    "report",
    "reproduce",
    "robustness",
    "run",
    "search",
    "select",
    "series",
    "show",
    "speed",
    "status",
    "stop",
    "studies",
    "sync",
    "table",
    "table_text",
    "take",
    "trials",
]

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
