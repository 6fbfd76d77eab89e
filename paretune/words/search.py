"""The last words of a search: how its trials ended, and commands to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from compress.quality import ACCURACY, Quality
from search.selection.budget import QUALITY_BOUNDS, Budget, option
from search.selection.rated import rated_models
from search.study.endings import INTERRUPTED, endings
from search.study.record import StudyRecord
from search.study.seeds import Family, front_of, middle


def searched(
    found: StudyRecord,
    next_steps: Mapping[str, str],
    where: Sequence[str],
    program: str = "paretune",
    budget: Budget | None = None,
) -> str:
    """How a search's trials ended, and commands to type next.

    The example to take is the middle of the front. If the search has a bound on the quality in its `budget`, the
    example keeps the bound, and the command repeats the bound.
    """
    lines = ["trials: " + ", ".join(f"{count} {words}" for words, count in endings(found.trials).items())]
    interrupted = any(trial.reason == INTERRUPTED for trial in found.trials)
    lines += [f"{what}: {text}" for what, text in next_steps.items() if text and (what != "go on" or interrupted)]
    asked = _of_quality((budget or Budget()).named(found.quality))
    example = middle(_within(_worth_taking(front_of(found.points, found.objectives), found.quality), asked, found))
    if example is not None:
        bounds = [word for name, amount in asked.bounds.items() for word in (f"--{option(name)}", str(amount))]
        most = ("--max-params", str(example.measured.params))
        words = ["select", found.name, *most, *bounds, "--export", "out/", *where]
        lines.append(f"take: {shlex.join([program, *words])}")
    return "\n".join(lines)


def _of_quality(budget: Budget) -> Budget:
    """The bound on the quality alone."""
    return Budget(**{name: amount for name, amount in budget.bounds.items() if name in QUALITY_BOUNDS})


def _within(front: Sequence[Family], budget: Budget, found: StudyRecord) -> Sequence[Family]:
    """The models within the budget, none if the budget is a share of no possible quality."""
    try:
        bounds = budget.resolve(found.teacher)
    except ValueError:
        return []
    return [rated.family for rated in rated_models(front, bounds) if not rated.over]


def _worth_taking(found: Sequence[Family], quality: Quality) -> Sequence[Family]:
    """The models of a front that are nearer to the best than to a constant answer, which many small models give."""
    if quality == ACCURACY:
        return found
    best = max((family.validation for family in found), default=0.0)
    return [family for family in found if family.validation >= (best + quality.constant) / 2]
