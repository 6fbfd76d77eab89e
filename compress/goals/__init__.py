"""Goals: the meaning of outputs and targets, the loss and the quality; `GOALS` by name, one file a goal."""

from __future__ import annotations

from compress.goals.check_goal import check_goal
from compress.goals.classification import LABELS, Classification, smoothed
from compress.goals.goal import Goal, quality_of
from compress.goals.metrics import MetricError
from compress.goals.multilabel import MultiLabel
from compress.goals.regression import Regression
from compress.goals.segmentation import Segmentation

GOALS: dict[str, type[Goal]] = {goal.name: goal for goal in (Classification, MultiLabel, Regression, Segmentation)}

__all__ = [
    "GOALS",
    "LABELS",
    "Classification",
    "Goal",
    "MetricError",
    "MultiLabel",
    "Regression",
    "Segmentation",
    "check_goal",
    "quality_of",
    "smoothed",
]
