"""The figures at the top of the report: the teacher, what a tenth of its size buys, the smallest model as good."""

from __future__ import annotations

import html
from collections.abc import Callable

from compress.figures import graded
from compress.quality import ACCURACY, Quality
from dashboards import tables
from dashboards.models import Models
from dashboards.page import heading
from search.study.breakpoints import DELTA
from search.study.endings import states
from search.study.front import hypervolume
from search.study.record import Point

TENTH = 0.1


def numbers(models: Models) -> str:
    """Return the figures as a list of HTML."""
    study = models.study
    volume = hypervolume(models.means, study.objectives, study.reference_point)
    worked = sum(trial.seconds for trial in study.trials)
    ended = ", ".join(f"{n} {state}" for state, n in states(study.trials).items())
    shown = [
        *_of_teacher(models),
        ("on the front", str(len(models.front)), f"of {len(study.points):,} models; hypervolume {volume:.3f}"),
        ("work", tables.duration(worked), f"{len(study.trials)} trials: {ended}" if ended else "no trial yet"),
    ]
    items = (
        f"<div><dt>{heading(name)}</dt><dd>{html.escape(figure)}<small>{html.escape(note)}</small></dd></div>"
        for name, figure, note in shown
    )
    return f'<dl class="numbers">{"".join(items)}</dl>'


def _of_teacher(models: Models) -> list[tuple[str, str, str]]:
    """Return name, figure and note of the teacher and of the models beside it; none before it is measured."""
    if models.teacher is None:
        return []
    teacher, (quality, _) = models.means[models.teacher], graded(models.study.quality)
    size = teacher.measured.params
    found = [(f"teacher's {quality.title}", quality.written(teacher.measured), f"with {size:,} parameters")]
    small = _best(models, lambda one: one.measured.params <= TENTH * size)
    if small is not None:
        found.append((f"best at {TENTH:.0%} of its size", quality.written(small.measured), _named(small)))
    least = teacher.measured.score_validation - DELTA
    as_good = [one for one in models.means if one.measured.score_validation >= least]
    smallest = min(as_good, key=lambda one: (one.measured.params, -one.measured.score_validation))
    share = smallest.measured.params / size
    lost = tolerated(models.study.quality)
    return [*found, (f"smallest that loses at most {lost}", f"{share:.1%}", f"of its size: {_named(smallest)}")]


def _best(models: Models, fits: Callable[[Point], bool]) -> Point | None:
    within = [one for one in models.means if fits(one)]
    return max(within, key=lambda one: (one.measured.score_validation, -one.measured.params), default=None)


def _named(point: Point) -> str:
    return f"{point.id[:8]}, {point.measured.params:,} parameters"


def tolerated(quality: Quality) -> str:
    """Return the loss that breakpoints tolerate, in words."""
    if quality == ACCURACY:
        return f"{100 * DELTA:.3g}%"
    return f"{quality.amount(DELTA):.3g} {quality.unit or quality.name}"
