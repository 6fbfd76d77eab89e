"""A claim holds, does not hold, or cannot be told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from search.papers.verdict import chance, judge
from spaces.papers.paper import Cell, Claim


class Known:
    """Values of cells by the name in their choices."""

    def __init__(self, **values: Mapping[int, float]) -> None:
        self.values = values

    def of(self, cell: Cell, *, scores: bool = False) -> Mapping[int, float]:
        return self.values.get(str(cell.choices["name"]), {})


def seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def answer(*pairs: tuple[Mapping[int, float], Mapping[int, float]], margin: float = 0.0) -> str:
    names = [(f"more{n}", f"less{n}") for n in range(len(pairs))]
    known = Known(
        **{name: value for both, pair in zip(names, pairs, strict=True) for name, value in zip(both, pair, strict=True)}
    )
    claim = Claim("", [(Cell({"name": a}), Cell({"name": b})) for a, b in names], margin)
    return judge(claim, known).answer  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "less", "expected"),
    [
        ((0.95, 0.96, 0.95), (0.90, 0.91, 0.91), "holds"),
        ((0.90, 0.91, 0.91), (0.95, 0.96, 0.95), "does not hold"),
        ((0.95, 0.90, 0.92), (0.93, 0.93, 0.92), "cannot be told"),
        ((0.95,), (0.90,), "cannot be told"),
        ((), (0.9, 0.9), "cannot be told"),
    ],
)
def test_one_pair_is_told_by_its_seeds(more: tuple[float, ...], less: tuple[float, ...], expected: str) -> None:
    assert answer((seeds(*more), seeds(*less))) == expected


def test_every_pair_must_agree() -> None:
    better, worse = seeds(0.95, 0.96, 0.95), seeds(0.90, 0.91, 0.91)
    other, third = seeds(0.955, 0.96, 0.95), seeds(0.96, 0.96, 0.95)
    assert answer((better, worse), (other, worse), (third, worse)) == "holds"
    assert answer((better, worse), (other, worse), (worse, better)) == "does not hold"


def test_a_pair_without_models_leaves_a_claim_open() -> None:
    better, worse = seeds(0.95, 0.96, 0.95), seeds(0.90, 0.91, 0.91)
    assert answer((better, worse), (better, {})) == "cannot be told"


def test_a_margin_is_granted() -> None:
    a, b = seeds(0.95, 0.951, 0.949), seeds(0.952, 0.953, 0.952)
    assert answer((a, b)) == "does not hold"
    assert answer((a, b), margin=0.01) == "holds"


def test_a_number_may_be_the_second() -> None:
    known = Known(a=seeds(0.8, 0.81, 0.79))
    assert judge(Claim("", [(Cell({"name": "a"}), 0.65)]), known).answer == "holds"  # type: ignore[arg-type]


def test_chance_of_values() -> None:
    assert chance([1.0]) is None
    assert chance([0.1, 0.1]) is None
    assert [chance(each, exact=True) for each in ([0.1, 0.1], [-2.0, -2.0], [0.0, 0.0], [3.0])] == [0.0, 1.0, 0.5, 0.0]
    assert chance([0.1, -0.1]) == pytest.approx(0.5)
    assert chance([1.0, 2.0, 3.0]) == pytest.approx(0.0371, abs=1e-4)


def test_a_count_is_certain_with_one_seed() -> None:
    known = Known(small={0: 100.0}, large={0: 900.0})
    pair = (Cell({"name": "large"}, figure="params"), Cell({"name": "small"}, figure="params"))
    assert judge(Claim("", [pair]), known).answer == "holds"  # type: ignore[arg-type]


def test_part_of_a_grid_refutes_a_claim_but_does_not_prove_it() -> None:
    better, worse = seeds(0.95, 0.96, 0.951), seeds(0.90, 0.91, 0.905)
    assert answer((better, worse), (better, {})) == "cannot be told"
    assert answer((worse, better), (better, {})) == "does not hold"
