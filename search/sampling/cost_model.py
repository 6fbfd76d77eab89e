"""What can be said of a recipe before it is carried out: where its points will lie, and how long it will take here."""

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
"""Models whose times the rates are taken from."""
LEAST_SECONDS = 0.01
"""Of a recipe whose models are all there: reading them takes time as well."""


@dataclass
class CostModel:
    """`known` are keys of models that are there or in the making, `there` of those that are there; `reference` has the
    costs of the unpruned teacher.
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
        """The recipe's points that were not learned from yet, in the order they are made, with all costs.

        None of a network that cannot be built.
        """
        new = [step for step in self.estimator.steps(recipe) if step.key not in self._learned]
        try:
            return [self._whole(self.estimator.guess(step)) for step in new]
        except RecipeError:
            return []

    def is_made(self, recipe: Recipe) -> bool:
        """Whether all its models are there or in the making: they come without it."""
        return not self.estimator.missing(recipe, self.known)

    def seconds(self, recipe: Recipe) -> float:
        """For what is missing; a training costs its MACs, and every model the same for measuring and storing."""
        return self._seconds(recipe, self.known)

    def _seconds(self, recipe: Recipe, known: Container[str]) -> float:
        if self._rates is None:
            rows = np.array([(macs, 1.0) for macs, _ in self._times] or [(1.0, 1.0)])
            scale = np.maximum(rows.max(0), 1.0)  # all may have come trained
            found, _ = nnls(rows / scale, np.array([seconds for _, seconds in self._times] or [1.0]))
            self._rates = float(found[0] / scale[0]), float(found[1] / scale[1])
        missing = self.estimator.missing(recipe, known)
        a_mac, a_model = self._rates
        return LEAST_SECONDS + sum(a_mac * self.estimator.training(step) + a_model for step in missing)

    def rest(self, recipe: Recipe) -> float:
        """For what is not there yet of a recipe that is being carried out; as `seconds` it is."""
        return self._seconds(recipe, self.there)

    def likely(self, recipe: Recipe) -> float:
        """The share of its points to be that will come: all, but for a method that finds its sparsity.

        On a network it may find each time that none will do, or little. And of a network whose trials fail as many
        will come as have come of it.
        """
        shares = [self._tried.get(name, (0, 0)) for name in (_finder(recipe), *_networks(recipe))]
        return math.prod(min(1.0, (1 + came) / (1 + predicted)) for came, predicted in shares)

    def ended(self, recipe: Recipe, came: int) -> None:
        """A trial is complete, and has so many points of a network that was cut."""
        steps = self.estimator.steps(recipe)
        if _finder(recipe):
            self._try(_finder(recipe), came, sum(step.parent is not None for step in steps))
        for name in _networks(recipe):
            self._try(name, len(steps), len(steps))

    def failed(self, recipe: Recipe, came: int) -> None:
        """A trial has failed, after so many points."""
        for name in _networks(recipe):
            self._try(name, came, len(self.estimator.steps(recipe)))

    def _try(self, name: str, came: int, predicted: int) -> None:
        before = self._tried.get(name, (0, 0))
        self._tried[name] = before[0] + came, before[1] + predicted

    def learn(self, recipe: Recipe, point: Point) -> Guess | None:
        """From a measured point of the recipe; what would have been guessed of it, its sparsity known.

        None of a point that the recipe would not make today, such as one from before a stage's code changed.
        """
        step = next((step for step in self.estimator.steps(recipe) if step.key == point.id), None)
        if step is None:
            return None
        self._times.append((self.estimator.training(step), point.measured.seconds))
        self._rates = None
        self._learned.add(point.id)
        return self._whole(self.estimator.guess(step, point.sparsity))

    def _whole(self, guess: Guess) -> Guess:
        """With latency, which falls by less than the work: here with the root of the MACs."""
        share = guess.costs["macs"] / self.reference["macs"]
        return Guess(guess.sparsity, guess.variant, {**guess.costs, LATENCY: self.reference[LATENCY] * share**0.5})


def _finder(recipe: Recipe) -> str:
    """The methods that find their sparsity, and on which network; nothing where there are none."""
    found = [stage.method.name for stage in recipe.stages if isinstance(stage, Prune) and stage.method.adaptive]
    return " ".join([*found, str(recipe.student)]) if found else ""


def _networks(recipe: Recipe) -> list[str]:
    """What has to be trained."""
    return [f"{role} {model}" for role, model in (("student", recipe.student), ("teacher", recipe.teacher)) if model]
