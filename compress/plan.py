"""Turn a recipe into a chain of steps, each named by the hash of everything before.

The steps of two recipes with the same beginning have the same keys, so the second recipe takes the first one's models
from the store. Initial weights enter the hash by their bytes, not by their path. The source of a user's own network
or optimizer enters the hash, for the source may change under one name. The zoo's source does not: a stage's `code`
stands for its version.
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
    """One model of a recipe's chain.

    `stage` is applied to `parent` up to sparsity `level` (of the stage), or starts a network when `parent` is None.
    `original` is the model before the stage, `teacher` the model to learn from, if any. `sparsity` and `variant` place
    the point on the trial's curves; `sparsity` is None before the model is made if the method itself decides how much
    to remove.
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
        """Hash of the whole chain up to this step: the key of the model in the store."""
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
    """Return the steps whose models are the recipe's points, in order; `fingerprint` is the task's."""
    teacher = None
    if recipe.teacher is not None and recipe.schooling is not None:
        teacher = _first(Train(recipe.schooling), recipe.teacher, recipe.seed, fingerprint, None)
    points = [_first(recipe.stages[0], recipe.student, recipe.seed, fingerprint, teacher)]
    for stage in recipe.stages[1:]:
        if stage.variant is not None:
            points = [made for step in points for made in (step, *_steps(stage, step, teacher))]
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
        **_own_code(stage),
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
        **_own_code(stage),
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


def _own_code(stage: Stage) -> dict[str, str]:
    """Return the fingerprint of a user's own optimizer; {} for any other."""
    return {} if stage.lesson is None else stage.lesson.training.fingerprints
