"""A verdict in words: a mean difference has the unit of the claim's cells."""

from __future__ import annotations

import pytest

from search.papers.text import judged
from search.papers.verdict import Verdict
from spaces.papers.paper import LAST, Cell, Claim

ONE = {"network": "one"}
SIZE = Cell(ONE, LAST, "nonzero_params")


@pytest.mark.parametrize(
    ("cell", "value", "said"),
    [
        (Cell(ONE), -0.02664, "-2.66 points"),
        (Cell(ONE, LAST, "test@occlusion"), 0.0134, "+1.34 points"),
        (SIZE, 13880.2, "+13,880 nonzero params"),
        (Cell(ONE, LAST, "nonzero_params", of=SIZE, by="decrease"), 0.073, "+7.30 points"),
        (Cell(ONE, LAST, "ms@64", of=SIZE, by="rate"), 0.519, "+0.52x"),
    ],
)
def test_a_mean_difference_has_the_unit_of_the_cells(cell: Cell, value: float, said: str) -> None:
    verdict = Verdict(Claim("A is B.", [(cell, cell)]), "holds", 1, 1, value, 0.01)
    assert judged(verdict) == ("A is B.", "holds", "1 of 1", said, "0.010")


def test_pairs_without_models_are_told() -> None:
    claim = Claim("A is B.", [(Cell(ONE), Cell(ONE))] * 3)
    assert judged(Verdict(claim, "cannot be told", 1, 1))[2:] == ("1 of 1 (3 asked)", "-", "-")
