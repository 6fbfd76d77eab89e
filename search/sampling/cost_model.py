"""Predict, before a recipe is carried out, the costs of its points and the seconds of work in this search."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from compress.errors import RecipeError
from compress.estimate import Estimator, Guess
from compress.figures import LATENCY
from compress.recipe import Recipe
from compress.stages import Prune
from search.study.record import Point

RECENT = 200
"""Most recent models whose times give the rates."""
LEAST_SECONDS = 0.01
"""Seconds of a recipe whose models are all stored: loading the models takes time as well."""


@dataclass
class CostModel:
    """Predicts costs and seconds of recipes, and learns from measured points.

    `known` are the keys of models stored or in the making, `there` the keys of stored models. `reference` has the costs
    of the unpruned teacher.
    """

    estimator: Estimator
    known: Container[str]
    there: Container[str]
    reference: Mapping[str, float]
    _times: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=RECENT))
    _learned: set[str] = field(default_factory=set)
    _rates: tuple[float, float] | None = None
    _tried: dict[str, tuple[int, int]] = field(default_factory=dict)

    def points(self, recipe: Recipe) -> list[Guess]:
        """Return the recipe's points not learned from yet, in the order of their making, with all costs.

        Empty for a network that cannot be built.
        """
        new = [step for step in self.estimator.steps(recipe) if step.key not in self._learned]
        try:
            return [self._whole(self.estimator.guess(step)) for step in new]
        except RecipeError:
            return []

    def is_made(self, recipe: Recipe) -> bool:
        """Return whether all models of the recipe are stored or in the making."""
        return not self.estimator.missing(recipe, self.known)

    def seconds(self, recipe: Recipe) -> float:
        """Return the seconds of work on the recipe's missing models.

        The time of a training is proportional to its MACs. Measuring and storing take the same time for every model.
        """
        return self._seconds(recipe, self.known)

    def _seconds(self, recipe: Recipe, known: Container[str]) -> float:
        if self._rates is None:
            rows = np.array([(macs, 1.0) for macs, _ in self._times] or [(1.0, 1.0)])
            scale = np.maximum(rows.max(0), 1.0)  # all MACs are 0 where every model came trained
            found, _ = nnls(rows / scale, np.array([seconds for _, seconds in self._times] or [1.0]))
            self._rates = float(found[0] / scale[0]), float(found[1] / scale[1])
        missing = self.estimator.missing(recipe, known)
        a_mac, a_model = self._rates
        return LEAST_SECONDS + sum(a_mac * self.estimator.training(step) + a_model for step in missing)

    def rest(self, recipe: Recipe) -> float:
        """Return the seconds of work on models not stored yet, for a running recipe."""
        return self._seconds(recipe, self.there)

    def likely(self, recipe: Recipe) -> float:
        """Return the share of the recipe's points likely to be made, in (0, 1].

        The share is lower for a network on which adaptive pruners made fewer points than planned, and for a network
        whose trials failed.
        """
        shares = [self._tried.get(name, (0, 0)) for name in (_finder(recipe), *_networks(recipe))]
        return math.prod(min(1.0, (1 + came) / (1 + predicted)) for came, predicted in shares)

    def ended(self, recipe: Recipe, came: int) -> None:
        """Learn from a complete trial; `came` is the number of its points with a pruned network."""
        steps = self.estimator.steps(recipe)
        if _finder(recipe):
            self._try(_finder(recipe), came, sum(step.parent is not None for step in steps))
        for name in _networks(recipe):
            self._try(name, len(steps), len(steps))

    def failed(self, recipe: Recipe, came: int) -> None:
        """Learn from a failed trial; `came` is the number of its points."""
        for name in _networks(recipe):
            self._try(name, came, len(self.estimator.steps(recipe)))

    def _try(self, name: str, came: int, predicted: int) -> None:
        before = self._tried.get(name, (0, 0))
        self._tried[name] = before[0] + came, before[1] + predicted

    def learn(self, recipe: Recipe, point: Point) -> Guess | None:
        """Learn from a measured point of the recipe; return the estimate of the point at its measured sparsity.

        None for a point the recipe would not make today, as after a change of a stage's code.
        """
        step = next((step for step in self.estimator.steps(recipe) if step.key == point.id), None)
        if step is None:
            return None
        self._times.append((self.estimator.training(step), point.measured.seconds))
        self._rates = None
        self._learned.add(point.id)
        return self._whole(self.estimator.guess(step, point.sparsity))

    def _whole(self, guess: Guess) -> Guess:
        """Return the guess with a latency, assumed to fall with the square root of the MACs where none is foreseen."""
        if LATENCY in guess.costs:
            return guess
        share = guess.costs["macs"] / self.reference["macs"]
        return Guess(guess.sparsity, guess.variant, {**guess.costs, LATENCY: self.reference[LATENCY] * share**0.5})


def _finder(recipe: Recipe) -> str:
    """Return the names of the recipe's adaptive pruners and its student; "" without adaptive pruners."""
    found = [stage.method.name for stage in recipe.stages if isinstance(stage, Prune) and stage.method.adaptive]
    return " ".join([*found, str(recipe.student)]) if found else ""


def _networks(recipe: Recipe) -> list[str]:
    """Return the networks to train, each with its role."""
    return [f"{role} {model}" for role, model in (("student", recipe.student), ("teacher", recipe.teacher)) if model]
