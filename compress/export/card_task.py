"""The task an export is measured on: its images and its goal must be the card's, mean and std become the card's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from compress.data.tasks import Task
from compress.errors import ExportError
from compress.export.card import shape_of
from compress.export.formats import read_card

_OUTPUTS = {
    "classification": "classes",
    "segmentation": "classes of pixels",
    "multilabel": "labels",
    "regression": "values",
}
"""Words for outputs, by goal."""


def normalised_by_card(task: Task, folder: Path) -> Task:
    """Return the task with the mean and std the model was trained with."""
    card = read_card(folder)
    try:
        given = card["input"]
        shape, classes = shape_of(given), tuple(given["classes"])
        mean, std = tuple(map(float, given["mean"])), tuple(map(float, given["std"]))
        sound = all(map(math.isfinite, mean)) and all(0 < deviation < math.inf for deviation in std)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ExportError(f"evaluate: {folder} is damaged: its card must describe the input") from error
    if not sound or len(mean) != len(std) or len(mean) != shape[0]:
        raise ExportError(f"evaluate: {folder} is damaged: its card must give a mean and a std above 0 a channel")
    meant, asked = _meant(card, classes), task.goal.as_json()
    if (shape, classes) != (task.shape, task.classes) or not _is_same_goal(meant, task):
        raise ExportError(
            f"evaluate: {folder} is for {_images(shape, meant)}, {task.name} has {_images(task.shape, asked)}"
        )
    parts = {name: replace(getattr(task, name), mean=mean, std=std) for name in ("train", "validation", "test")}
    return replace(task, mean=mean, std=std, **parts)


def _meant(card: Mapping[str, Any], classes: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the card's goal, of a card from before goals a classification."""
    goal = card.get("goal")
    return goal if isinstance(goal, dict) else {"name": "classification", "names": [*classes]}


def _is_same_goal(meant: Mapping[str, Any], task: Task) -> bool:
    """Whether the outputs mean the same; a user's own goal may have another name."""
    asked, own = task.goal.as_json(), not type(task.goal).__module__.startswith("compress.goals")
    names = meant.keys() & asked.keys() - ({"name"} if own else set())
    return all(meant[name] == asked[name] for name in names)


def _images(shape: tuple[int, int, int], goal: Mapping[str, Any]) -> str:
    names = [*map(str, goal["names"])] if isinstance(goal.get("names"), list) else []
    shown = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    unit = f" in {goal['unit']}" if goal.get("unit") else ""
    count, what = len(names) or goal.get("outputs"), _OUTPUTS.get(str(goal.get("name")), "outputs")
    outputs = f"{count} {what.removesuffix('s') if count == 1 else what}"
    return f"images {' x '.join(map(str, shape))} of {outputs}{shown}{unit}"
