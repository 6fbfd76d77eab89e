"""The models of a study as rows, a row for every family of seeds with mean figures, and as columns for the page.

The page's script draws, filters and picks from the columns alone. Figures are not rounded: under the same budget the
page and `paretune select` must pick the same model.
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
_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Models:
    """Rows in the order of `families` in `search.study.seeds`, each with mean figures and its first trial."""

    study: StudyRecord
    families: tuple[Family, ...]
    means: tuple[Point, ...]
    trials: tuple[TrialRecord, ...]

    @classmethod
    def of(cls, study: StudyRecord) -> Models:
        """Return the models of a study; a study without models is allowed."""
        owners = {point.id: trial for trial in reversed(study.trials) for point in trial.points}
        found = tuple(families(study.points))
        means = tuple(family.mean for family in found)
        return cls(study, found, means, tuple(owners[mean.id] for mean in means))

    @cached_property
    def row(self) -> dict[str, int]:
        """Map the id of every point to its row; the seeds of a family share a row."""
        return {point.id: row for row, family in enumerate(self.families) for point in family.points}

    @cached_property
    def teacher(self) -> int | None:
        """The unpruned teacher's row; None until the teacher is measured."""
        return None if self.study.teacher is None else self.row[self.study.teacher.id]

    @cached_property
    def front(self) -> list[int]:
        """Rows on the front of the means, the best quality first."""
        return [self.row[mean.id] for mean in front(self.means, self.study.objectives)]

    @cached_property
    def also(self) -> tuple[str, ...]:
        """Metrics measured beside the quality, by name and split such as `r2_test`."""
        found = dict.fromkeys(key for mean in self.means for key in mean.measured.metrics)
        names = dict.fromkeys(key.rpartition("_")[0] for key in found)
        names.pop(self.study.quality.name, None)
        return tuple(key for name in names for split in _SPLITS if (key := f"{name}_{split}") in found)

    @cached_property
    def coloured_by(self) -> str:
        """The choice to colour by: `order` or `method`, else the first with 2 to 6 levels, all words, else ""."""
        names = choice_names(self.study)
        for name in _PREFERRED:
            if name in names:
                return name
        return next((name for name in names if self._has_few_words(name)), "")

    def _has_few_words(self, name: str) -> bool:
        levels = {trial.choices[name] for trial in self.trials if trial.choices.get(name) is not None}
        return all(isinstance(choice, str) for choice in levels) and 2 <= len(levels) <= len(theme.PALETTE)

    def group(self, row: int) -> str:
        """Return the level a row is coloured by, "" without a choice to colour by."""
        return level(self.trials[row].choices.get(self.coloured_by)) if self.coloured_by else ""

    def recipe(self, row: int) -> str:
        """Return the choices of a row's recipe, in words."""
        return TEACHER if row == self.teacher else summary(self.trials[row].choices)


def columns(models: Models) -> dict[str, Any]:
    """Return the rows as columns, ready for JSON.

    `rows` has a list for every column. `validation` and `test` are scores (of accuracy the accuracy itself), at most 1;
    sparsity is in [0, 1], costs are as in `Measurement`. `margin` is half the 95 % confidence interval of the mean
    score on validation, `spread` the standard deviation on test, both null for a single seed. Metrics measured beside
    are in their own units, of the first seed, null where not measured. `variant`, `group` and `recipe` are numbers of
    texts in `words`.

    `seeds` has the single points of rows with several seeds, `teacher` the teacher's row, `whole` the teacher's figures
    for shares like `10%`.
    """
    rows = range(len(models.means))
    variant, group, recipe = _Words(), _Words(), _Words()
    members = set(models.front)
    table: dict[str, Any] = {
        "trial": [mean.trial for mean in models.means],
        "sparsity": [round(mean.sparsity, 6) for mean in models.means],
        "variant": [variant[mean.variant] for mean in models.means],
        "group": [group[models.group(row)] for row in rows],
        "recipe": [recipe[models.recipe(row)] for row in rows],
        "front": [int(row in members) for row in rows],
        **_figures(models.means, models.also),
        "count": [len(family.points) for family in models.families],
        "margin": [family.margin for family in models.families],
        "spread": [_spread(family) for family in models.families],
    }
    several = [(row, point) for row in rows if table["count"][row] > 1 for point in models.families[row].points]
    single = [point for _, point in several]
    seeds = {
        "row": [row for row, _ in several],
        "trial": [point.trial for point in single],
        **_figures(single, models.also),
    }
    words = {"variant": list(variant), "group": list(group), "recipe": list(recipe)}
    teacher = models.study.teacher
    whole = None if teacher is None else {name: figure for name, (figure,) in _figures([teacher]).items()}
    return {"rows": table, "seeds": seeds, "words": words, "teacher": models.teacher, "whole": whole}


def _figures(points: Sequence[Point], also: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Return figures as recorded, by key: the qualities as scores."""
    measured = [point.measured for point in points]
    beside = {key: [m.metrics.get(key) for m in measured] for key in also}
    return {**beside, **{one.key: [getattr(m, one.name) for m in measured] for one in RECORDED}}


def _spread(family: Family) -> float | None:
    if len(family.points) == 1:
        return None
    return stdev(point.measured.score_test for point in family.points)


class _Words(dict[Hashable, int]):
    """Number words in the order of first use."""

    def __missing__(self, word: Hashable) -> int:
        self[word] = len(self)
        return self[word]
