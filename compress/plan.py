"""A recipe as a chain of steps, each named by the hash of everything before it.

The steps of two recipes that begin alike have the same keys, so what one has made the other takes from the store.
Weights that a network begins with count by their bytes, not by their place; so does the source of a user's own network,
which may change while its name does not. The zoo's source does not count: a stage's `code` speaks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from compress.encoding import digest, encode
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Stage, Train


@dataclass(frozen=True)
class Step:
    """One model to be made.

    `stage` carried out on `parent` up to sparsity `level` (of the stage), or from scratch when there is no parent.
    `original` is the model before the stage, `teacher` whom it learns from, if any. `sparsity` and `variant` place its
    point on the trial's curves; what is removed by a method that decides itself is known when it is made: None.
    """

    stage: Stage
    model: Model
    made_from: dict[str, Any]
    level: float = 0.0
    sparsity: float | None = 0.0
    variant: str = "float"
    parent: Step | None = None
    original: Step | None = None
    teacher: Step | None = None

    @cached_property
    def key(self) -> str:
        """Hash of what leads here; names the entry in the store."""
        return digest(self.made_from)

    @property
    def seed(self) -> int:
        """Seed of this step's random numbers, in [0, 2^32)."""
        return int(self.key[:8], 16)

    @property
    def title(self) -> str:
        """Stage, network, method and depth in words, such as `prune cnn by l1-filter to 50 %`."""
        method = getattr(self.stage, "method", None)
        by = f" by {method.name}" if method is not None else ""
        return f"{self.stage.name} {self.model}{by}" + (f" to {self.level:.0%}" if 0 < self.level < 1 else "")


def plan(recipe: Recipe, fingerprint: str) -> list[Step]:
    """The steps whose models are the recipe's points, in the order they are made; `fingerprint` is the task's."""
    teacher = None
    if recipe.teacher is not None and recipe.schooling is not None:
        teacher = _first(Train(recipe.schooling), recipe.teacher, recipe.seed, fingerprint, None)
    points = [_first(recipe.stages[0], recipe.student, recipe.seed, fingerprint, teacher)]
    for stage in recipe.stages[1:]:
        if stage.variant is not None:
            points = [one for step in points for one in (step, *_steps(stage, step, teacher))]
        else:
            points += _steps(stage, points[-1], teacher)
    return points


def _first(stage: Stage, model: Model, seed: int, fingerprint: str, teacher: Step | None) -> Step:
    learned = teacher if stage.needs_teacher else None
    made_from = {
        **stage.made_from(),
        "code": stage.code,
        "model": encode(model.bare),
        "data": fingerprint,
        "seed": seed,
        "teacher": learned.key if learned else None,
        **model.fingerprints,
    }
    return Step(stage, model, made_from, teacher=learned)


def _steps(stage: Stage, start: Step, teacher: Step | None) -> list[Step]:
    """Return a step for each level of the stage."""
    if stage.distiller is None:
        teacher = None
    elif not stage.needs_teacher:
        teacher = start
    settings = stage.made_from()
    steps: list[Step] = []
    for level in stage.levels:
        parent = steps[-1] if steps and stage.sequential else start
        steps.append(_next(stage, settings, level, parent, start, teacher))
    return steps


def _next(
    stage: Stage, settings: dict[str, object], level: float, parent: Step, original: Step, teacher: Step | None
) -> Step:
    made_from = {
        "stage": stage.name,
        **settings,
        "code": stage.code,
        "level": level,
        "parent": parent.key,
        "original": original.key,
        "teacher": teacher.key if teacher else None,
        **({"own": stage.own_code} if original.model.own and stage.own_code else {}),
    }
    before = None if stage.open_ended else original.sparsity
    return replace(
        original,
        stage=stage,
        made_from=made_from,
        level=level,
        sparsity=None if before is None else round(1 - (1 - before) * (1 - level), 6),
        variant=stage.variant or original.variant,
        parent=parent,
        original=original,
        teacher=teacher,
    )
