"""Choose the next recipes by expected hypervolume improvement per second of work.

Costs are estimated before training, and the bias of the estimates is learned from measured points, so only a model's
error is uncertain. A trial yields a curve, so a recipe is worth the improvement of all its points. Stored models take
no seconds. The points of a running trial count as measured, with their expected values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import moocore
import numpy as np
import torch
from optuna.distributions import BaseDistribution
from torch import Tensor

from compress.estimate import Guess
from search.sampling import early_stopping
from search.sampling.candidates import Candidate, Named, candidates
from search.sampling.ehvi import HypervolumeImprovement
from search.sampling.outlook import Ahead, Choices, Expected, Floats, Outlook, Seen, far_apart
from search.sampling.surrogate import MOST, Encoder, Surrogate
from spaces.space import Trial, place

DRAWS, DRAWN_EACH = 300, 4
"""Recipes drawn for a choice: so many, and at least so many for each recipe chosen."""
STARTUP = 8
"""Trials with points before the surrogate is used; with fewer trials, recipes far apart in cost are chosen."""
SPREAD = 60
"""Recipes compared for a choice with fewer than `STARTUP` trials, by their distance in cost from others, per second."""
SLACK = 1.05
"""Largest scaled cost, as estimated, of a point that counts as inside the box; the box ends at 1."""
OUT = 1.1
"""Scaled cost given to a point over a limit: outside the box, and no farther out than needed."""
GROWN = 1.1
"""Growth factor of the points seen, after which the fit of the surrogate also begins at a random start."""
CLOSEST, KEPT_EACH = 40, 2
"""Best candidates weighed again after each recipe chosen: so many, and at least so many for each still to come."""


class Chosen(NamedTuple):
    """The candidates to try next, and for each running trial whether to give the trial up."""

    candidates: list[Candidate]
    given_up: list[bool]


@dataclass
class Acquisition:
    """Chooses candidates by expected improvement per second.

    `build` makes a recipe from a trial's values. `costs` are the objectives besides the error, and `reference` has
    their values at the end of the box. `worst` is the error at the end of the box, 1 without a least accuracy. `limits`
    bound costs outside the objectives: a point estimated over a limit counts as outside the box.
    """

    build: Callable[[Trial], Named]
    outlook: Outlook
    costs: tuple[str, ...]
    reference: Mapping[str, float]
    seed: int
    worst: float = 1.0
    limits: Mapping[str, float] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    logs: list[Tensor] = field(default_factory=list)
    climbed: int = 0

    def add(self, choices: Choices, trial: int, guess: Guess, error: float, costs: Mapping[str, float]) -> None:
        """Add a measured point of a trial, with the estimate made before the measurement."""
        placed = place(choices, guess.sparsity, guess.variant) if choices else {}
        self.seen.append(Seen(placed, trial, error, self._scaled(costs), self._scaled(guess.costs)))

    def measure_against(self, cost: str, end: float) -> None:
        """Move the end of the box along `cost` to `end`; the costs of all points seen are scaled again."""
        scale = np.ones(len(self.costs))
        scale[self.costs.index(cost)] = math.log1p(self.reference[cost]) / math.log1p(end)
        self.reference = {**self.reference, cost: end}
        self.seen = [one._replace(costs=one.costs * scale, guessed=one.guessed * scale) for one in self.seen]

    def choose(self, tried: Container[str], running: Sequence[tuple[Choices, Named]], count: int) -> Chosen:
        """Return the next `count` recipes, or fewer if no more are found, and the running trials to give up.

        Recipes in `tried` are left out; `tried` contains the `running` recipes. Recipes whose models are all stored or
        in the making are left out as well: choosing them adds nothing.
        """
        chance = np.random.default_rng((self.seed, len(self.seen), len(running)))
        found = self._found(tried, chance, max(DRAWS, DRAWN_EACH * count))
        going = [self._ahead(choices, recipe) for choices, recipe in running]
        if not found or len({one.trial for one in self.seen if one.choices}) < STARTUP:
            chosen = self._apart(dict(islice(found.items(), max(SPREAD, KEPT_EACH * count))), going, count)
            return Chosen(chosen, [False] * len(going))
        return self._most(found, going, count, chance)

    def _found(self, tried: Container[str], chance: np.random.Generator, draws: int) -> dict[Candidate, Ahead]:
        """Return untried candidates with new points; candidates outside the box only where no other is found."""
        drawn = candidates(self.build, self._best(), chance, draws)
        new = [(one, self._ahead(one.params, one.recipe)) for one in drawn if one.recipe.id not in tried]
        found = {one: ahead for one, ahead in new if ahead.points and not self.outlook.is_made(one.recipe)}
        found = {one: ahead for one, ahead in found.items() if (ahead.costs <= SLACK).all(1).any()} or found
        for one in found:
            self.distributions |= one.distributions
        return found

    def _apart(self, found: dict[Candidate, Ahead], running: list[Ahead], count: int) -> list[Candidate]:
        """Return the candidates farthest from all points in cost, per second of work."""
        there = [*(one.costs for one in self.seen), *(costs for one in running for costs in one.costs)]
        share = {one: self._likely_a_second(one) for one in found}
        return far_apart({one: its.costs for one, its in found.items()}, share, there, count)

    def _most(
        self, found: dict[Candidate, Ahead], running: list[Ahead], count: int, chance: np.random.Generator
    ) -> Chosen:
        """Return the candidates of most improvement per second, each given the expected points of earlier choices."""
        expected = self._expect([*running, *found.values()], chance)
        mean, deviation, cost, parts = expected
        improvement = self._improvement()
        rests = [
            early_stopping.worth_of_rest(
                improvement, mean[part], deviation[part], cost[part], self.outlook.rest(its.recipe)
            )
            for its, part in zip(running, parts, strict=False)
        ]
        for part in parts[: len(running)]:
            improvement.add(mean[part], cost[part])
        ahead = list(zip(found, parts[len(running) :], strict=True))
        share = {one.recipe.id: self._likely_a_second(one) for one in found}
        chosen: list[Candidate] = []
        stopped = [False] * len(running)
        while ahead and len(chosen) < count:
            at = np.concatenate([np.arange(part.start, part.stop) for _, part in ahead])
            firsts = np.cumsum([0, *(part.stop - part.start for _, part in ahead[:-1])])
            gains = improvement.of_curves(mean[at], deviation[at], cost[at], firsts)
            worth = gains * np.array([share[one.recipe.id] for one, _ in ahead])
            kept = max(CLOSEST, KEPT_EACH * (count - len(chosen)))
            if not chosen:
                stopped = early_stopping.given_up(rests, float(worth.max()))
            ahead = [ahead[number] for number in np.argsort(-worth, kind="stable")[: kept + 1]]
            best, part = ahead.pop(0)
            chosen.append(best)
            improvement.add(mean[part], cost[part])
        return Chosen(chosen, stopped)

    def _expect(self, curves: list[Ahead], chance: np.random.Generator) -> Expected:
        """Fit the surrogate to the points seen; return the expected points of the curves."""
        encode = Encoder(self.distributions)
        used = self._used(chance)
        off = np.array([one.costs - one.guessed for one in used])
        starts = [*self.logs]
        if len(self.seen) >= GROWN * self.climbed:
            starts.append(torch.as_tensor(chance.normal(0.5, 1.0, len(self.distributions) + 2)))
            self.climbed = len(self.seen)
        surrogate = Surrogate(
            encode([one.choices for one in used]), np.array([one.error for one in used]), off, encode.choices, starts
        )
        self.logs = [surrogate.logs]
        rows = encode([place(its.choices, one.sparsity, one.variant) for its in curves for one in its.points])
        mean, deviation, more = surrogate(rows)
        cost = np.clip(np.concatenate([its.costs for its in curves]) + more, 0.0, 1.0)
        ends = np.cumsum([len(its.points) for its in curves])
        parts = [slice(end - len(its.points), end) for end, its in zip(ends, curves, strict=True)]
        return Expected(mean, deviation, cost, parts)

    def _likely_a_second(self, one: Candidate) -> float:
        return self.outlook.likely(one.recipe) / self.outlook.seconds(one.recipe)

    def _improvement(self) -> HypervolumeImprovement:
        """Return the improvement over the points measured."""
        errors, costs = np.array([one.error for one in self.seen]), np.array([one.costs for one in self.seen])
        return HypervolumeImprovement(errors, costs, self.worst)

    def _ahead(self, choices: Choices, recipe: Named) -> Ahead:
        points = self.outlook.points(recipe)
        costs = [self._scaled(one.costs) if self._fits(one) else np.full(len(self.costs), OUT) for one in points]
        return Ahead(choices, recipe, points, np.array(costs).reshape(len(points), len(self.costs)))

    def _used(self, chance: np.random.Generator) -> list[Seen]:
        """Return at most `MOST` observations for the surrogate: first the front, then a random sample of the others."""
        usable = [number for number, one in enumerate(self.seen) if one.choices]
        if len(usable) > MOST:
            front = set(self._front())
            kept = [number for number in usable if number in front][:MOST]
            others = [number for number in usable if number not in front]
            usable = sorted([*kept, *map(int, chance.choice(others, MOST - len(kept), replace=False))])
        return [self.seen[number] for number in usable]

    def _best(self) -> list[Choices]:
        return [self.seen[number].choices for number in self._front() if self.seen[number].choices]

    def _front(self) -> list[int]:
        if not self.seen:
            return []
        rows = np.array([[one.error, *one.costs] for one in self.seen])
        return [int(number) for number in np.flatnonzero(moocore.is_nondominated(rows))]

    def _fits(self, one: Guess) -> bool:
        """Return whether the estimated costs are within the limits, up to `SLACK`."""
        return all(math.log1p(one.costs[name]) <= SLACK * math.log1p(most) for name, most in self.limits.items())

    def _scaled(self, costs: Mapping[str, float]) -> Floats:
        """Return costs on the hypervolume's logarithmic scale, the reference at 1; shape `(len(self.costs),)`."""
        return np.array([math.log1p(costs[name]) / math.log1p(self.reference[name]) for name in self.costs])
