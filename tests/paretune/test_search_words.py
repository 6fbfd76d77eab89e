"""What is said to type after a search: a model within the search's bound on the quality, and the bound again."""

from __future__ import annotations

import pytest

from compress.quality import ACCURACY, Quality
from paretune.words.search import searched
from search.selection.budget import Budget
from tests.dashboards.records import MAE, by, point, study, trial

FRONT = study(trial(0, point(0, 0.95, 1000)), *(trial(n, point(n, 1 - n / 10, 900 // n)) for n in range(1, 6)))


def take(quality: Quality, budget: Budget | None) -> str:
    found = FRONT if quality == ACCURACY else by(quality, FRONT)
    return searched(found, {}, ["--home", "runs"], budget=budget).partition("\n")[2]


@pytest.mark.parametrize(
    ("quality", "budget", "options"),
    [
        (ACCURACY, None, "--max-params 450"),
        (ACCURACY, Budget(max_params="100%"), "--max-params 450"),
        (ACCURACY, Budget(quality="0.8"), "--max-params 900 --min-accuracy 0.8"),
        (ACCURACY, Budget(min_accuracy="84%"), "--max-params 900 --min-accuracy 84%"),
        (MAE, Budget(quality="4"), "--max-params 900 --quality 4"),
    ],
)
def test_the_example_keeps_the_bound_on_the_quality_by_the_name_of_the_study(
    quality: Quality, budget: Budget | None, options: str
) -> None:
    assert take(quality, budget) == f"take: paretune select s {options} --export out/ --home runs"


@pytest.mark.parametrize("budget", [Budget(quality="0.99"), Budget(quality="201%")])
def test_no_example_is_given_where_no_model_keeps_the_bound(budget: Budget) -> None:
    assert take(ACCURACY, budget) == ""
