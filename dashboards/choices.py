"""What trials chose, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from search.study.record import Choice, StudyRecord

ABSENT = "none"


def choice_names(study: StudyRecord) -> list[str]:
    """The names of all choices that any trial made, in the order they first came up."""
    return list(dict.fromkeys(name for trial in study.trials for name in trial.choices))


def summary(choices: Mapping[str, Choice]) -> str:
    """Choices in words, such as `order prune, width 0.5, int8`; what was not done is left out."""
    words = (_word(name, choice) for name, choice in choices.items())
    return ", ".join(word for word in words if word)


def level(choice: Choice) -> str:
    """A choice as the name of a category; `none` for one that was not made."""
    if choice is None or (isinstance(choice, float) and math.isnan(choice)):
        return ABSENT
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return f"{choice:.3g}" if isinstance(choice, float) else str(choice)


def _word(name: str, choice: Choice) -> str:
    if choice is True:
        return name
    said = level(choice)
    return "" if choice is False or said == ABSENT else f"{name} {said}"
