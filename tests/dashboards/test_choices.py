import math

import pytest

from dashboards.choices import level, summary
from search.study.record import Choice


def test_a_summary_leaves_out_what_was_not_done() -> None:
    choices: dict[str, Choice] = {"order": "prune", "distiller": "none", "lr": 0.012345, "int8": True}
    assert summary(choices | {"fold": False, "pruner": None}) == "order prune, lr 0.0123, int8"


@pytest.mark.parametrize(
    ("choice", "name"),
    [(None, "none"), (math.nan, "none"), (True, "yes"), (False, "no"), (3, "3"), (0.25, "0.25"), ("kd", "kd")],
)
def test_a_choice_is_named_as_a_category(choice: Choice, name: str) -> None:
    assert level(choice) == name
