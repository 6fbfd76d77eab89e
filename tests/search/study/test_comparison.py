"""Fronts over each other: the joint front and its owners, hypervolumes on one reference, ranges of budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compress.quality import Quality
from search.study.better import ranges
from search.study.comparison import Named, compare
from search.study.front import front, hypervolume
from search.study.record import StudyRecord
from tests.search.grids import curve, grid, plain_teacher, recipe, study

SMALL, LARGE = {0.9: 0.90}, {0.0: 0.96}


def two() -> tuple[StudyRecord, StudyRecord]:
    """`a` has a model of 100 params and one of 1000, `b` a better one of 550 and the same one of 1000."""
    a = study(plain_teacher(), curve(1, recipe(), {**LARGE, **SMALL}), name="a")
    return a, study(curve(1, recipe(), {**LARGE, 0.45: 0.95}), name="b")


def named(*records: StudyRecord, prints: tuple[str, ...] = ("x", "x")) -> list[Named]:
    return [Named(record.name, record, each) for record, each in zip(records, prints, strict=False)]


def test_the_joint_front_names_whose_its_points_are() -> None:
    found = compare(named(*two()))
    points = [(each.family.points[0].id, each.studies) for each in found.joint]
    assert points == [("teacher", ("a",)), ("1/0.45", ("b",)), ("1/0.9", ("a",))]


def test_a_model_that_both_have_is_of_both() -> None:
    a, b = two()
    a = study(*a.trials[1:], name="a")
    found = compare(named(a, b))
    assert [each.studies for each in found.joint] == [("a", "b"), ("b",), ("a",)]
    assert [(one.on_joint, one.alone) for one in found.studies] == [(2, 1), (2, 1)]


def test_hypervolumes_are_on_one_reference_the_largest() -> None:
    a, b = two()
    b = replace(b, reference_point={"accuracy": 0.0, "params": 20_000})
    found = compare(named(a, b))
    assert found.reference_point == {"accuracy": 0.0, "params": 20_000}
    every = [*a.points, *b.points]
    expected = [
        hypervolume(points, ("accuracy", "params"), found.reference_point) for points in (a.points, b.points, every)
    ]
    assert [one.hypervolume for one in found.studies] == pytest.approx(expected[:2])
    assert found.hypervolume == pytest.approx(expected[2])
    assert found.studies[0].adds == pytest.approx(expected[2] - expected[1])
    assert "the studies' own references differ: their own hypervolumes are not those shown here" in found.notes


def test_budgets_fall_into_ranges_with_the_same_best_study() -> None:
    a, b = two()
    means = {record.name: front(record.points, ("accuracy", "params")) for record in (a, b)}
    found = ranges(means, "params")
    assert [(each.low, each.high, each.best) for each in found] == [
        (100, 550, ("a",)),
        (550, 1000, ("b",)),
        (1000, None, ("a",)),
    ]
    assert found[0].lead is None
    assert found[1].lead == pytest.approx((0.05, 0.05))
    assert found[2].lead == pytest.approx((0.02, 0.02))


def test_equal_studies_are_best_together() -> None:
    _, b = two()
    (only_range,) = ranges({"a": b.points, "b": b.points}, "params")
    assert (only_range.best, only_range.lead) == (("a", "b"), None)


def test_means_over_seeds_are_compared() -> None:
    record = grid()
    found = compare(named(record, replace(two()[1], name="b")))
    assert (found.studies[0].models, found.studies[1].models) == (6, 2)
    assert {each.family.points[0].id: len(each.family.points) for each in found.joint}["1/0.9"] == 3


def test_common_objectives_are_taken_and_others_are_said() -> None:
    a, b = two()
    a = replace(a, objectives=("accuracy", "flops", "params"))
    found = compare(named(a, b))
    assert found.objectives == ("accuracy", "params")
    assert "a was searched on accuracy, flops, params" in found.notes


def test_without_fingerprints_the_task_counts_and_that_is_said() -> None:
    found = compare(named(*two(), prints=("", "x")))
    assert any(note.startswith("a has no fingerprint of its images") for note in found.notes)


def test_equal_images_at_different_places_are_compared() -> None:
    a, b = two()
    assert compare(named(a, replace(b, task="folder:/elsewhere"))).joint


@pytest.mark.parametrize(
    ("change", "prints", "objectives", "sentence"),
    [
        (
            {"task": "cifar10"},
            ("", ""),
            (),
            "compare: all studies must be of one task, got digits of a and cifar10 of b",
        ),
        (
            {},
            ("x", "y"),
            (),
            r"compare: all studies must be of the same images, got digits \(x\) of a and digits \(y\) of b",
        ),
        ({"name": "a"}, ("x", "x"), (), "compare: every study must be named once, got 'a' twice"),
        ({"objectives": ("accuracy", "macs")}, ("x", "x"), (), "compare: two objectives must be common, got a has"),
        ({}, ("x", "x"), ("accuracy",), "objectives: need at least two different names, got accuracy"),
        ({}, ("x", "x"), ("accuracy", "macs"), "compare: objectives: no study has a reference of macs; leave it out"),
    ],
)
def test_studies_that_cannot_be_compared_are_refused(
    change: dict[str, Any], prints: tuple[str, str], objectives: tuple[str, ...], sentence: str
) -> None:
    a, b = two()
    with pytest.raises(ValueError, match=sentence):
        compare(named(a, replace(b, **change), prints=prints), objectives)


def test_one_study_or_studies_without_a_model_are_refused() -> None:
    a, b = study(name="a"), study(name="b")
    with pytest.raises(ValueError, match="compare: needs two studies or more, got a"):
        compare(named(a))
    with pytest.raises(ValueError, match="compare: a study must have a model, a and b have none yet"):
        compare(named(a, b))


def test_a_comparison_is_ready_for_json() -> None:
    found: Any = compare(named(*two())).as_json()
    assert [one["share"] for one in found["studies"]] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert found["better"]["params"][0] == {"from": 100, "below": 550, "best": ["a"], "lead": None}


def test_without_the_quality_among_the_objectives_no_budget_is_judged() -> None:
    a, b = (replace(record, reference_point={"params": 1e4, "flops": 1e5}) for record in two())
    assert compare(named(a, b), ("params", "flops")).ranges == {}


def test_an_error_is_compared_by_its_score_and_told_in_its_unit() -> None:
    mae = Quality("mae", zero=20.0, one=0.0, unit="degrees")
    a, b = (
        replace(record, quality=mae, objectives=("mae", "params"), reference_point={"mae": 0.0, "params": 10_000})
        for record in two()
    )
    found: Any = compare(named(a, b)).as_json()
    assert [(each["best"], each["lead"]) for each in found["better"]["params"]] == [
        (["a"], None),
        (["b"], [pytest.approx(1.0), pytest.approx(1.0)]),
        (["a"], [pytest.approx(0.4), pytest.approx(0.4)]),
    ]
    assert compare(named(a, b), ("quality", "params")).objectives == ("mae", "params")


def test_studies_with_another_quality_are_refused() -> None:
    a, b = two()
    f1 = replace(b, quality=Quality("f1"), objectives=("f1", "params"))
    with pytest.raises(ValueError, match="compare: all studies must have one quality, got accuracy of a and f1 of b"):
        compare(named(a, f1))
