"""One point of a recipe's curve, for a trial that asks about no other: what it is made from, and made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compress.pipeline import Made, Pipeline
from compress.plan import Step, plan
from compress.recipe import Recipe


def variant(choices: Mapping[str, Any]) -> str:
    """Which curve is asked about."""
    return "int8" if choices["int8"] else "float"


def chain(steps: Sequence[Step], choices: Mapping[str, Any]) -> list[Step]:
    """Of a recipe's steps those that the one nearest to the sparsity asked for needs; it comes last."""
    there = [step for step in steps if step.variant == variant(choices)]
    step: Step | None = min(there, key=lambda one: abs((one.sparsity or 0.0) - choices["sparsity"]))
    found: list[Step] = []
    while step is not None:
        found.append(step)
        step = step.parent
    return found[::-1]


def points_of(
    pipeline: Pipeline, recipe: Recipe, choices: Mapping[str, Any], whole: bool
) -> Iterator[tuple[Made, float]]:
    """The one point or the whole curve, each with the seconds of all that was made since the one before.

    What the store has already, a teacher that is asked for as a student, costs nothing.
    """
    steps = plan(recipe, pipeline.task.fingerprint)
    if not whole and all(step.sparsity is not None for step in steps):  # known beforehand
        needed = chain(steps, choices)
        ensured = [pipeline.ensure(step) for step in needed]
        spent = sum(one.entry.measured.seconds for one in ensured if one.made)
        (last, made_now), at = ensured[-1], needed[-1]
        yield Made(last.key, at.sparsity or 0.0, at.variant, last.measured, str(last.path), known=not made_now), spent
        return
    spent, made = 0.0, None
    for point in pipeline.run(recipe):
        spent += 0.0 if point.known else point.measured.seconds
        if point.variant == variant(choices):
            made = point
            if whole:
                yield made, spent
                spent = 0.0
    if made is not None and not whole:
        yield made, spent
