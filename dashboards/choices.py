"""Choices of trials, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from search.study.record import Choice, StudyRecord

ABSENT = "none"


def choice_names(study: StudyRecord) -> list[str]:
    """Return the names of all choices of all trials, in the order of first appearance."""
    return list(dict.fromkeys(name for trial in study.trials for name in trial.choices))


def summary(choices: Mapping[str, Choice]) -> str:
    """Return choices in words, like `order prune, width 0.5, int8`, without choices that are False or None."""
    words = (_word(name, choice) for name, choice in choices.items())
    return ", ".join(word for word in words if word)


def level(choice: Choice) -> str:
    """Return a choice as the name of a category, `none` for a choice the trial never made (None or NaN)."""
    if choice is None or (isinstance(choice, float) and math.isnan(choice)):
        return ABSENT
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return f"{choice:.3g}" if isinstance(choice, float) else str(choice)


def _word(name: str, choice: Choice) -> str:
    if choice is True:
        return name
    text = level(choice)
    return "" if choice is False or text == ABSENT else f"{name} {text}"
