"""Arguments of the verbs as functions: a name next to a known name is told with the known name."""

from __future__ import annotations

from typing import Any

import pytest

import paretune


@pytest.mark.parametrize(
    ("verb", "given", "near"),
    [
        ("search", {"student": "cnn"}, "students"),
        ("search", {"teacher": "cnn"}, "teachers"),
        ("search", {"objective": "params"}, "objectives"),
        ("search", {"max_param": 10}, "max_params"),
        ("run", {"recipe": "small.json"}, "recipes"),
        ("select", {"max_latency": 5}, "max_latency_ms"),
        ("table", {"row": "lr"}, "rows"),
    ],
)
def test_an_argument_of_another_name_is_told_with_the_nearest(verb: str, given: dict[str, Any], near: str) -> None:
    with pytest.raises(TypeError, match=rf"{verb}: unknown argument '{next(iter(given))}', near are {near}\b"):
        getattr(paretune, verb)("s", **given)


def test_a_name_near_to_none_is_told_with_all() -> None:
    with pytest.raises(TypeError, match="table: unknown argument 'zzz', near are study, rows, columns, value, only, h"):
        paretune.table("s", zzz=1)  # type: ignore[call-arg]
