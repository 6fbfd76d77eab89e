"""Choices as numbers, and what a Gaussian process makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.sampling.surrogate import Encoder, Surrogate

KNOWN = {
    "order": CategoricalDistribution(("prune", "distill")),
    "width": CategoricalDistribution((0.5, 0.25, 1.0)),
    "int8": CategoricalDistribution((False, True)),
    "sparsity": FloatDistribution(0.0, 0.8),
    "lr": FloatDistribution(0.01, 1.0, log=True),
    "steps": IntDistribution(3, 3),
}


def row(**choices: object) -> list[float]:
    return list(Encoder(KNOWN)([choices])[0])  # type: ignore[list-item]


def test_an_order_is_one_column_and_what_has_none_one_for_each_value() -> None:
    half = 0.5**0.5
    found = row(order="distill", width=0.5, int8=True, sparsity=0.2, lr=0.1, steps=3)
    assert found == pytest.approx([0, half, 0.5, 0, 0, half, 0.25, 0, 0.5, 0, 0, 0])


def test_a_choice_a_recipe_does_not_have_is_not_a_value_of_it() -> None:
    whole = {"order": "prune", "width": 0.25, "int8": False, "sparsity": 0.0, "lr": 0.01, "steps": 3}
    for name in whole:
        assert row(**whole) != row(**{key: value for key, value in whole.items() if key != name})


def test_it_reads_a_smooth_function_off_its_values_and_knows_where_it_does_not() -> None:
    seen = np.linspace(0, 0.5, 12)[:, None]
    surrogate = Surrogate(seen, np.sin(4 * seen[:, 0]), 3 * seen, [0])
    near, far = np.array([[0.23]]), np.array([[3.0]])
    mean, deviation, others = surrogate(np.vstack([near, far]))
    assert mean[0] == pytest.approx(np.sin(4 * 0.23), abs=0.03)
    assert deviation[1] > 5 * deviation[0] > 0
    assert others[0, 0] == pytest.approx(0.69, abs=0.1)
    assert abs(others[1, 0]) < abs(others[0, 0])


def test_equal_figures_are_no_trouble() -> None:
    mean, deviation, _ = Surrogate(np.eye(4), np.full(4, 0.1), np.zeros((4, 2)), [0, 1, 1, 2])(np.eye(4))
    assert mean == pytest.approx(0.1)
    assert np.isfinite(deviation).all()
