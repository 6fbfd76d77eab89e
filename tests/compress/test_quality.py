"""A quality and its score: two ways to say the same."""

from __future__ import annotations

from typing import Any

import pytest

from compress.quality import ACCURACY, Quality

MAE = Quality("mae", zero=22.5, one=0.0, unit="degrees")


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.1, 0.7123456789, 1.0])
def test_the_score_of_a_share_is_the_share_bit_for_bit(value: float) -> None:
    assert ACCURACY.score(value) == value
    assert ACCURACY.value(value) == value


def test_an_error_is_turned_around() -> None:
    assert not MAE.higher_is_better
    assert (MAE.score(0.0), MAE.score(22.5), MAE.score(45.0)) == (1.0, 0.0, -1.0)
    assert MAE.value(MAE.score(3.25)) == pytest.approx(3.25)
    assert MAE.amount(0.1) == pytest.approx(2.25)
    assert MAE.scores(2.25) == pytest.approx(0.1)


def test_a_value_is_written_with_its_unit() -> None:
    assert ACCURACY.text(0.97214) == "0.9721"
    assert MAE.text(3.14159) == "3.142 degrees"


def test_a_quality_survives_json_and_a_study_without_one_is_of_accuracy() -> None:
    assert Quality.from_json(MAE.as_json()) == MAE
    assert Quality.from_json(None) == ACCURACY


@pytest.mark.parametrize(
    "odd", [{}, {**MAE.as_json(), "zero": "22"}, {**MAE.as_json(), "one": 22.5}, {**MAE.as_json(), "more": 1}]
)
def test_a_damaged_quality_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="quality must have"):
        Quality.from_json(odd)
