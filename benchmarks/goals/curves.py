"""Pruning curves in mean absolute error, and their breakpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from types import SimpleNamespace
from typing import cast

from benchmarks.goals.cases import Case
from benchmarks.goals.record import Record, Result
from compress.measurement import Measurement
from compress.quality import Quality
from search.study.breakpoints import Breakpoint, breakpoints
from search.study.front import DEFAULT_OBJECTIVES
from search.study.record import Point, StudyRecord, TrialRecord

PRUNERS = ("l1-filter", "taylor", "bn-scale")
LEVELS, DEEPEST = 6, 0.95
LOSSES = (0.01, 0.05)
"""Tolerated losses of score, shares of the error of the best constant answer; the first is the default."""
Curves = Mapping[str, Sequence[Result]]
"""By pruner, a result a seed."""


def curves(record: Record, case: Case, seeds: int) -> Curves:
    """Return the curves of the pruners, cut along an exponential schedule."""
    return {
        pruner: [
            record.carried_out(case.task, pruner, case.curve(pruner, LEVELS, DEEPEST, seed)) for seed in range(seeds)
        ]
        for pruner in PRUNERS
    }


def study_of(results: Sequence[Result], quality: Quality) -> StudyRecord:
    """Return results as the trials of a study, for `breakpoints`."""
    trials = tuple(
        TrialRecord(number, "complete", "", {}, {}, _points(number, one, quality), 0.0, {})
        for number, one in enumerate(results)
    )
    return StudyRecord("curves", "", "", DEFAULT_OBJECTIVES, {}, trials, quality=quality)


def _points(trial: int, one: Result, quality: Quality) -> tuple[Point, ...]:
    return tuple(
        Point("", trial, {}, sparsity, "float", cast(Measurement, SimpleNamespace(**figures)), "", quality=quality)
        for sparsity, figures in one.points
    )


def table(found: Curves, quality: Quality) -> Iterator[str]:
    """Yield Markdown: the mean test error over seeds at each level, a pruner a row, its deviation beside."""
    levels = [sparsity for sparsity, _ in next(iter(found.values()))[0].points]
    yield "| pruner | " + " | ".join(f"{level:.0%} off" for level in levels) + " |"
    yield "|---" * (1 + len(levels)) + "|"
    for pruner, results in found.items():
        each = zip(*(_errors(one, quality) for one in results), strict=True)
        yield f"| {pruner} | " + " | ".join(_spread(values) for values in each) + " |"


def breakpoint_table(found: Curves, quality: Quality) -> Iterator[str]:
    """Yield Markdown: the sparsity of each reading, mean and deviation over seeds, and the test error there."""
    losses = [f"within {quality.text(quality.amount(loss))}" for loss in LOSSES]
    yield "| pruner | " + " | ".join(f"{loss} | test there" for loss in losses) + " | knee | test there |"
    yield "|---" * (3 + 2 * len(losses)) + "|"
    for pruner, results in found.items():
        study = study_of(results, quality)
        readings = [breakpoints(study, quality.amount(loss)) for loss in LOSSES]
        cells = [cell for some in readings for cell in _tolerance(some)]
        bent = [one for one in readings[0] if one.knee is not None]
        knees = [_share([one.knee or 0 for one in bent]), _spread([one.knee_test or 0 for one in bent])]
        yield f"| {pruner} | " + " | ".join([*cells, *(knees if bent else ("none", ""))]) + " |"


def _tolerance(some: Sequence[Breakpoint]) -> tuple[str, str]:
    return _share([one.tolerance for one in some]), _spread([one.tolerance_test for one in some])


def _errors(one: Result, quality: Quality) -> list[float]:
    return [figures["metrics"][f"{quality.name}_test"] for _, figures in one.points]


def _share(values: Sequence[float]) -> str:
    return f"{fmean(values):.0%}" + (f" ± {100 * stdev(values):.0f}" if len(values) > 1 else "")


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")
