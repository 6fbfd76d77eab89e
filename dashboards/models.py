"""The models of a study as rows: one a family of seeds, with mean figures, and what the page is told of them.

The page's script draws, filters and picks from these columns alone. Figures travel as they were recorded, not rounded:
what the page picks under a budget must be what `paretune select` picks.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import stdev
from typing import Any

from compress.figures import RECORDED
from dashboards import theme
from dashboards.choices import choice_names, level, summary
from search.study.front import front
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import Family, families

TEACHER = "the unpruned teacher"
_PREFERRED = ("order", "method")


@dataclass(frozen=True)
class Models:
    """The rows, in the order of `families` in `search.study.seeds`, with mean figures and the first trial of each."""

    study: StudyRecord
    families: tuple[Family, ...]
    means: tuple[Point, ...]
    trials: tuple[TrialRecord, ...]

    @classmethod
    def of(cls, study: StudyRecord) -> Models:
        """Those of a study, which may have none."""
        owners = {point.id: trial for trial in reversed(study.trials) for point in trial.points}
        found = tuple(families(study.points))
        means = tuple(family.mean for family in found)
        return cls(study, found, means, tuple(owners[mean.id] for mean in means))

    @cached_property
    def row(self) -> dict[str, int]:
        """The row of every point, by its id; the seeds of a family share one."""
        return {point.id: row for row, family in enumerate(self.families) for point in family.points}

    @cached_property
    def teacher(self) -> int | None:
        """The unpruned teacher's row; None until it is measured."""
        return None if self.study.teacher is None else self.row[self.study.teacher.id]

    @cached_property
    def front(self) -> list[int]:
        """Rows of the study's front, of means, by falling accuracy."""
        return [self.row[mean.id] for mean in front(self.means, self.study.objectives)]

    @cached_property
    def coloured_by(self) -> str:
        """The choice to colour by: `order` or `method`, else the first in words with 2 to 6 levels, else ""."""
        names = choice_names(self.study)
        for name in _PREFERRED:
            if name in names:
                return name
        return next((name for name in names if self._is_in_few_words(name)), "")

    def _is_in_few_words(self, name: str) -> bool:
        said = {trial.choices[name] for trial in self.trials if trial.choices.get(name) is not None}
        return all(isinstance(choice, str) for choice in said) and 2 <= len(said) <= len(theme.PALETTE)

    def group(self, row: int) -> str:
        """What a row is coloured by, in words; "" where there is no such choice."""
        return level(self.trials[row].choices.get(self.coloured_by)) if self.coloured_by else ""

    def recipe(self, row: int) -> str:
        """What was done to make it, in words."""
        return TEACHER if row == self.teacher else summary(self.trials[row].choices)


def columns(models: Models) -> dict[str, Any]:
    """Ready for JSON: a list a column, and `words`, the texts that `variant`, `group` and `recipe` number.

    Accuracies and sparsity are in [0, 1], costs as in `Measurement`; `margin` is half the interval of 95 % of the mean
    on validation, `spread` the standard deviation on test, both null with one seed. `seeds` holds the single points of
    the rows that stand for several, `whole` the figures that shares such as `10%` are of.
    """
    rows = range(len(models.means))
    variant, group, recipe = _Words(), _Words(), _Words()
    members = set(models.front)
    told: dict[str, Any] = {
        "trial": [mean.trial for mean in models.means],
        "sparsity": [round(mean.sparsity, 6) for mean in models.means],
        "variant": [variant[mean.variant] for mean in models.means],
        "group": [group[models.group(row)] for row in rows],
        "recipe": [recipe[models.recipe(row)] for row in rows],
        "front": [int(row in members) for row in rows],
        **_figures(models.means),
        "count": [len(family.points) for family in models.families],
        "margin": [family.margin for family in models.families],
        "spread": [_spread(family) for family in models.families],
    }
    several = [(row, point) for row in rows if told["count"][row] > 1 for point in models.families[row].points]
    single = [point for _, point in several]
    seeds = {"row": [row for row, _ in several], "trial": [point.trial for point in single], **_figures(single)}
    words = {"variant": list(variant), "group": list(group), "recipe": list(recipe)}
    teacher = models.study.teacher
    whole = None if teacher is None else {name: one for name, (one,) in _figures([teacher]).items()}
    return {"rows": told, "seeds": seeds, "words": words, "teacher": models.teacher, "whole": whole}


def _figures(points: Sequence[Point]) -> dict[str, list[Any]]:
    measured = [point.measured for point in points]
    return {one.key: [one.value(m) for m in measured] for one in RECORDED}


def _spread(family: Family) -> float | None:
    if len(family.points) == 1:
        return None
    return stdev(point.measured.accuracy_test for point in family.points)


class _Words(dict[Hashable, int]):
    """Numbers words as they come."""

    def __missing__(self, word: Hashable) -> int:
        self[word] = len(self)
        return self[word]
