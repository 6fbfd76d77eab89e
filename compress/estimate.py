"""What points will cost, guessed in microseconds: `compress.costs` builds every network, too slow for hundreds of them.

The unpruned networks are counted, once each; what a cut leaves is guessed from the share of weights it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from compress.costs import predict
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.figures import foreseen
from compress.models import Model
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stages import Train

GONE_A_ROUND = 0.1
"""Of the weights that are left, by one round of a method that finds its sparsity itself."""
KEPT = 1000
"""Plans of recipes: one takes a millisecond, and is asked for several times in a row."""
UPDATE = 3
"""Passes forward that an update costs: forward, and twice that backward."""


@dataclass(frozen=True)
class Guess:
    """One point to be: its place on the curve, and every cost known before training, by name."""

    sparsity: float
    variant: str
    costs: dict[str, float]


@dataclass
class Estimator:
    """Guesses for the recipes of one task."""

    task: Task
    _whole: dict[Model, dict[str, float]] = field(default_factory=dict)
    _impossible: dict[Model, str] = field(default_factory=dict)
    _plans: dict[str, list[Step]] = field(default_factory=dict)

    def steps(self, recipe: Recipe) -> list[Step]:
        """The steps whose models are the recipe's points, in the order they are made."""
        if recipe.id not in self._plans:
            if len(self._plans) >= KEPT:
                self._plans.clear()
            self._plans[recipe.id] = plan(recipe, self.task.fingerprint)
        return self._plans[recipe.id]

    def missing(self, recipe: Recipe, there: Container[str]) -> list[Step]:
        """All that has to be made for the recipe's points, when what is in `there`, by key, is taken as it is."""
        found: dict[str, Step] = {}
        waiting = [*self.steps(recipe)]
        while waiting:
            step = waiting.pop()
            if step.key not in there and step.key not in found:
                found[step.key] = step
                waiting += [one for one in (step.parent, step.original, step.teacher) if one is not None]
        return list(found.values())

    def training(self, step: Step) -> float:
        """MACs of one step's own training."""
        lesson = step.stage.lesson
        if lesson is None:
            return 0.0
        a_view = UPDATE * self.guess(step).costs["macs"]
        if step.teacher is not None:
            a_view += self.guess(step.teacher).costs["macs"]
        return lesson.training.epochs * len(self.task.train) * a_view

    def guess(self, step: Step, sparsity: float | None = None) -> Guess:
        """The point that a step makes; at the `sparsity` it came to, if that is known.

        RecipeError of a network that cannot be built, as a user's own may not at every width.
        """
        whole = self._costs(step.model)
        if sparsity is None:
            sparsity = step.sparsity
        if sparsity is None:
            sparsity = 1 - (1 - GONE_A_ROUND) ** step.level
        left = 1 - sparsity
        masked = _is(step, lambda one: one.stage.masked)
        dense = 1.0 if masked else left
        byte = whole["params"] * dense
        size = byte if step.variant == "int8" else 4 * byte
        main = {"params": byte, "macs": whole["macs"] * dense, "size_bytes": size}
        return Guess(sparsity, step.variant, foreseen(main, kept=left if masked else 1.0))

    def _costs(self, model: Model) -> dict[str, float]:
        if model in self._impossible:
            raise RecipeError(self._impossible[model])
        if model not in self._whole:
            try:
                costs = predict(Recipe(self.task.name, model, (Train(),)), self.task)[0].costs
            except RecipeError as error:
                self._impossible[model] = str(error)
                raise
            self._whole[model] = {"params": float(costs.params), "macs": float(costs.macs)}
        return self._whole[model]


def _is(step: Step, what: Callable[[Step], bool]) -> bool:
    """Whether it is true of the step or of one it was made from."""
    one: Step | None = step
    while one is not None:
        if what(one):
            return True
        one = one.parent
    return False
