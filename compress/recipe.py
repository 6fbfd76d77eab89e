"""A recipe: the network to compress, and the stages in order. Plain JSON both ways; its id hashes the JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from compress.codec import decode
from compress.encoding import digest, encode
from compress.errors import RecipeError, check_kind, check_whole
from compress.models import MODELS, Model
from compress.stages import STAGES, Stage
from compress.training.optimizers import is_own_optimizer
from compress.training.settings import Training

Json = dict[str, object]


@dataclass(frozen=True)
class Recipe:
    """One way to make a small network.

    `teacher` is trained on labels with `schooling`, once for all recipes with the same teacher. The `stages` are
    applied to `student`, one after the other. RecipeError for an impossible order of stages.
    """

    task: str
    student: Model
    stages: tuple[Stage, ...]
    teacher: Model | None = None
    schooling: Training | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("recipe: seed", self.seed, 0)
        check_kind("recipe: task", self.task, (str,))
        check_kind("recipe: student", self.student, (Model,))
        check_kind("recipe: teacher", self.teacher, (Model, type(None)))
        check_kind("recipe: schooling", self.schooling, (Training, type(None)))
        check_kind("recipe: stages", self.stages, (tuple,))
        for stage in self.stages:
            check_kind("recipe: a stage", stage, tuple(STAGES.values()))
        if (self.teacher is None) != (self.schooling is None):
            raise RecipeError(
                "recipe: a teacher needs its schooling, and schooling a teacher; got one without the other"
            )
        check_order(self.stages, has_teacher=self.teacher is not None)
        for stage in self.stages:
            self._check_shipped(stage)
        if self.stages[0].lesson is not None:
            _check_trained(self.student, self.stages[0].lesson.training)
        if self.teacher is not None and self.schooling is not None:
            _check_trained(self.teacher, self.schooling)

    def _check_shipped(self, stage: Stage) -> None:
        method = stage.distiller
        if method is None or not method.ships_adapter:
            return
        for model in (self.student, self.teacher if stage.needs_teacher else None):
            if model is not None and not model.own and MODELS[model.family].flat:
                raise RecipeError(
                    f"{method.name}: student and teacher must average their last map, got {model}, which flattens it"
                )

    @cached_property
    def id(self) -> str:
        """Hash of the recipe's JSON."""
        return digest(self.as_json())

    @property
    def trainings(self) -> tuple[Training, ...]:
        """Return all trainings: the teacher's, then those of the stages in order."""
        lessons = [stage.lesson for stage in self.stages]
        schooling = () if self.schooling is None else (self.schooling,)
        return (*schooling, *(lesson.training for lesson in lessons if lesson is not None))

    @property
    def own_optimizers(self) -> dict[str, Training]:
        """Return a training for the path of each of the user's own optimizers."""
        return {each.optimizer: each for each in self.trainings if is_own_optimizer(each.optimizer)}

    @property
    def own_code(self) -> set[str]:
        """Return the paths of the user's own functions that run for the recipe: networks and optimizers."""
        models = [m for m in (self.student, self.teacher) if m is not None]
        return {model.family for model in models if model.own and not model.of_library} | {*self.own_optimizers}

    def as_json(self) -> Json:
        """Return plain values, for `from_json` to read back."""
        return {
            "task": self.task,
            "teacher": encode(self.teacher),
            "schooling": encode(self.schooling),
            "student": encode(self.student),
            "stages": encode(self.stages),
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """Read a recipe back from JSON; RecipeError for anything else."""
        known = ("task", "teacher", "schooling", "student", "stages", "seed")
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise RecipeError(f"recipe: unknown field {unknown[0]!r}, known are {', '.join(known)}")
        try:
            return cls(**{key: decode(value) for key, value in data.items()})
        except TypeError as error:
            raise RecipeError(f"recipe: {error}") from error


def check_order(stages: tuple[Stage, ...], *, has_teacher: bool) -> None:
    """Raise RecipeError unless the stages can follow one another."""
    names = " -> ".join(stage.name for stage in stages) or "no stage"
    if not stages or not stages[0].begins:
        raise RecipeError(f"recipe: the first stage must be train or distill, got {names}")
    for before, stage in pairwise(stages):
        if stage.begins:
            raise RecipeError(f"recipe: {stage.name} starts a new network, so it must come first, got {names}")
        if before.variant is not None:
            raise RecipeError(f"recipe: {before.name} must be the last stage, got {names}")
        if before.masked and stage.lesson is not None:
            raise RecipeError(f"recipe: {stage.name} would undo the zeros of the pruning before it, got {names}")
    for kind in STAGES.values():
        if kind.once and sum(stage.name == kind.name for stage in stages) > 1:
            raise RecipeError(f"recipe: at most one {kind.name} stage, got {names}")
    if not has_teacher and any(stage.needs_teacher for stage in stages):
        raise RecipeError(f"recipe: distill needs a teacher and the recipe names none, got {names}")


def _check_trained(model: Model, training: Training) -> None:
    if training.epochs == 0 and model.weights is None:
        raise RecipeError(f"recipe: epochs must be at least 1 for {model}, which has no initial weights, got 0")
