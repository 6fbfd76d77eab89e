"""Expected hypervolume improvement with known costs, against exact hypervolumes and against chance."""

from __future__ import annotations

import moocore
import numpy as np
import pytest

from search.sampling.ehvi import CELLS, HypervolumeImprovement

SURE = 1e-9


def on_the_grid(chance: np.random.Generator, count: int, axes: int) -> np.ndarray:
    """Costs that lie on the corners of cells, where nothing is rounded."""
    return chance.integers(0, CELLS[axes], (count, axes)) / CELLS[axes]


def volume(errors: np.ndarray, costs: np.ndarray, worst: float = 1.0) -> float:
    return float(moocore.hypervolume(np.column_stack([errors, costs]), ref=[worst] + [1.0] * costs.shape[1]))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("worst", [1.0, 0.6])
def test_of_a_certain_error_it_is_the_gain_in_hypervolume(axes: int, worst: float) -> None:
    chance = np.random.default_rng(axes)
    errors, costs = chance.uniform(0, worst, 12), on_the_grid(chance, 12, axes)
    more, where = chance.uniform(0, worst, 5), on_the_grid(chance, 5, axes)
    found = HypervolumeImprovement(errors, costs, worst).of_each(more, np.full(5, SURE), where).sum(1)
    before = volume(errors, costs, worst)
    wanted = [
        volume(np.append(errors, error), np.vstack([costs, cost]), worst) - before
        for error, cost in zip(more, where, strict=True)
    ]
    assert found == pytest.approx(wanted, abs=1e-7)


def test_of_an_uncertain_error_it_is_the_mean_gain() -> None:
    chance = np.random.default_rng(0)
    errors, costs = chance.uniform(0.2, 1, 8), on_the_grid(chance, 8, 2)
    improvement = HypervolumeImprovement(errors, costs)
    cost = np.array([[0.25, 0.125]])
    found = improvement.of_each(np.array([0.4]), np.array([0.1]), cost).sum()
    drawn = np.maximum(chance.normal(0.4, 0.1, 20000), -10)
    gains = improvement.of_each(drawn, np.full(len(drawn), SURE), np.repeat(cost, len(drawn), 0)).sum(1)
    assert found == pytest.approx(gains.mean(), abs=4 * gains.std() / len(drawn) ** 0.5)
    assert gains.std() > 0


def test_a_curve_is_worth_what_its_certain_points_add_together() -> None:
    chance = np.random.default_rng(1)
    errors, costs = chance.uniform(0.2, 1, 8), on_the_grid(chance, 8, 2)
    more, where = chance.uniform(0, 1, 7), on_the_grid(chance, 7, 2)
    found = HypervolumeImprovement(errors, costs).of_curves(more, np.full(7, SURE), where, np.array([0, 3]))
    wanted = [
        volume(np.append(errors, more[part]), np.vstack([costs, where[part]])) - volume(errors, costs)
        for part in (slice(0, 3), slice(3, 7))
    ]
    assert found == pytest.approx(wanted, abs=1e-7)


def test_costs_between_corners_count_in_part() -> None:
    side = CELLS[1]
    nothing = HypervolumeImprovement(np.array([]), np.empty((0, 1)))
    found = nothing.of_each(np.array([0.0]), np.array([SURE]), np.array([[0.3 / side]])).sum()
    assert found == pytest.approx(1 - 0.3 / side)


def test_what_costs_more_than_the_box_adds_nothing() -> None:
    nothing = HypervolumeImprovement(np.array([]), np.empty((0, 2)))
    assert nothing.of_each(np.array([0.0]), np.array([0.1]), np.array([[0.1, 1.2]])).sum() == 0


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_cells_level_is_the_least_error_among_points_that_cost_no_more_added_at_once_or_later(
    axes: int, count: int
) -> None:
    chance = np.random.default_rng(count)
    errors, costs = chance.random(count), 1.2 * chance.random((count, axes))
    costs[: count // 2] = (np.round(costs[: count // 2] * CELLS[axes]) + 0.5) / CELLS[axes]  # in the middle of cells
    whole = HypervolumeImprovement(errors, costs, 0.9)
    later = HypervolumeImprovement(errors[: count // 3], costs[: count // 3], 0.9)
    later.add(errors[count // 3 :], costs[count // 3 :])
    middles = whole.corners + 0.5 / CELLS[axes]
    wanted = [min([0.9, *errors[(costs <= middle).all(1)]]) for middle in middles]
    assert list(whole.levels[whole.cells]) == list(later.levels[later.cells]) == wanted
