"""Estimate the costs of points in microseconds; `compress.costs` builds every network and is far slower.

Each unpruned network is counted once; the costs after a cut are estimated from the share of weights removed.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass, field

from compress.costs import predict
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.figures import LATENCY, foreseen
from compress.latency.latency_model import LatencyModel
from compress.models import Model
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stages import Train
from compress.step_checks import seeded

GONE_A_ROUND = 0.1
"""Assumed share of the remaining weights removed by one round of an adaptive method."""
KEPT = 4000
"""Plans kept in memory: making a plan takes a millisecond. Those of running trials are needed for every choice."""
FIXED = "fixed_ms"
UPDATE = 3
"""Cost of an update in forward passes: one forward, and a backward pass that costs two."""


@dataclass(frozen=True)
class Guess:
    """Estimated place on the curve of one point, and every cost known before training, by name."""

    sparsity: float
    variant: str
    costs: dict[str, float]


@dataclass
class Estimator:
    """Estimates for the recipes of one task; with `latency` their latencies too."""

    task: Task
    latency: LatencyModel | None = None
    _unpruned: dict[Model, dict[str, float]] = field(default_factory=dict)
    _impossible: dict[Model, str] = field(default_factory=dict)
    _plans: dict[str, list[Step]] = field(default_factory=dict)

    def steps(self, recipe: Recipe) -> list[Step]:
        """Return the steps whose models are the recipe's points, in the order of their making."""
        found = self._plans.pop(recipe.id, None) or plan(recipe, self.task.fingerprint)
        self._plans[recipe.id] = found  # the last used last
        if len(self._plans) > KEPT:
            del self._plans[next(iter(self._plans))]
        return found

    def missing(self, recipe: Recipe, stored: Container[str]) -> list[Step]:
        """Return every step still to be made for the recipe's points, given the keys already in `stored`."""
        found: dict[str, Step] = {}
        waiting = [*self.steps(recipe)]
        while waiting:
            step = waiting.pop()
            if step.key not in stored and step.key not in found:
                found[step.key] = step
                waiting += [before for before in (step.parent, step.original, step.teacher) if before is not None]
        return list(found.values())

    def training(self, step: Step) -> float:
        """Return the MACs of the step's own training."""
        lesson = step.stage.lesson
        if lesson is None:
            return 0.0
        macs_per_image = UPDATE * self.guess(step).costs["macs"]
        if step.teacher is not None:
            macs_per_image += self.guess(step.teacher).costs["macs"]
        return lesson.training.epochs * len(self.task.train) * macs_per_image

    def guess(self, step: Step, sparsity: float | None = None) -> Guess:
        """Return the point that a step makes, at `sparsity` in [0, 1) if the reached sparsity is known.

        RecipeError for a network that cannot be built, as a user's own network may not at every width.
        """
        whole = self._costs(step.model)
        if sparsity is None:
            sparsity = step.sparsity
        if sparsity is None:
            sparsity = step.level if step.level < 1 else 1 - (1 - GONE_A_ROUND) ** step.level
        left = 1 - sparsity
        masked = _any_in_chain(step, lambda before: before.stage.masked)
        dense = 1.0 if masked else left
        byte = whole["params"] * dense
        size = byte if step.variant == "int8" else 4 * byte
        main = {"params": byte, "macs": whole["macs"] * dense, "size_bytes": size}
        costs = foreseen(main, kept=left if masked else 1.0)
        if LATENCY in whole:
            costs[LATENCY] = whole[FIXED] + (whole[LATENCY] - whole[FIXED]) * dense
        return Guess(sparsity, step.variant, costs)

    def _costs(self, model: Model) -> dict[str, float]:
        if model in self._impossible:
            raise RecipeError(self._impossible[model])
        if model not in self._unpruned:
            try:
                costs = predict(Recipe(self.task.name, model, (Train(),)), self.task)[0].costs
                times = self._latency(model)
            except RecipeError as error:
                self._impossible[model] = str(error)
                raise
            self._unpruned[model] = {"params": float(costs.params), "macs": float(costs.macs), **times}
        return self._unpruned[model]

    def _latency(self, model: Model) -> dict[str, float]:
        """Return the latency of an unpruned network, and the part that stays in a cut; {} where none is foreseen."""
        if self.latency is None:
            return {}
        with seeded(), suppress(RecipeError):
            found = self.latency.foresee(model.build(self.task.outputs, self.task.channels), self.task.shape)
            return {LATENCY: found.ms, FIXED: found.fixed_ms}
        return {}


def _any_in_chain(step: Step, holds: Callable[[Step], bool]) -> bool:
    """Return whether `holds` is true of the step or of any step before."""
    current: Step | None = step
    while current is not None:
        if holds(current):
            return True
        current = current.parent
    return False
