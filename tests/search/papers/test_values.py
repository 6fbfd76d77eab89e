"""The value of a paper's cell, seed by seed, from the points of a study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compress.quality import Quality
from search.papers.fill import fill
from search.papers.text import remarks
from search.papers.values import Values
from search.study.record import StudyRecord
from spaces.papers import PAPERS
from spaces.papers.paper import BEFORE_LAST, BREAKPOINT, FIRST, LAST, Cell
from tests.search.grids import curve, grid, plain_teacher, recipe, study, trial

KD = {"distiller": "kd"}


@pytest.fixture
def record() -> StudyRecord:
    return grid()


def test_a_cell_has_the_value_of_every_seed(record: StudyRecord) -> None:
    values = Values(record)
    choices = record.trials[1].choices
    found = values.of(Cell(choices, 0.45, "validation"))
    assert len(found) == 3
    assert set(found) == {0, 1, 2}


def test_places_on_a_curve() -> None:
    record = study(plain_teacher(), curve(1, recipe(), {0.0: 0.9, 0.3: 0.895, 0.6: 0.85, 0.9: 0.5}))
    values, choices = Values(record), record.trials[1].choices

    def at(place: float | str) -> float:
        (found,) = values.of(Cell(choices, place, "sparsity")).values()
        return found

    assert (at(FIRST), at(LAST), at(BEFORE_LAST), at(0.3), at(BREAKPOINT)) == (0.0, 0.9, 0.6, 0.3, 0.3)
    assert values.of(Cell(choices, 0.5)) == {}
    assert values.of(Cell({"distiller": "none"}, LAST)) == {}


def test_the_first_model_is_found_by_the_choices_on_which_it_depends(record: StudyRecord) -> None:
    values, choices = Values(record), record.trials[1].choices
    name, value = next(iter(choices.items()))
    wanted = values.of(Cell(choices, FIRST, "validation"))
    assert wanted
    assert values.of(Cell({name: value}, FIRST, "validation")) == wanted
    assert values.of(Cell({name: value}, LAST, "validation")) == {}
    assert values.of(Cell({name: "another"}, FIRST, "validation")) == {}


def test_published_accuracies_stand_beside_accuracies_alone(record: StudyRecord) -> None:
    angles = replace(record, quality=Quality("mae", 20.0, 0.0, 0.0, "degrees"))

    def known(paper: str, record: StudyRecord) -> set[str]:
        tables = fill(PAPERS[paper], "digits-angle", Values(record))
        return {e.published.unit for t in tables for e in t.entries.values() if e.published is not None}

    assert "%" in known("chen2021", record)
    assert "%" not in known("chen2021", angles)
    assert "degrees" in known("aghli2021", angles)
    first = fill(PAPERS["aghli2021"], "digits-angle", Values(angles))[0]
    (remark,) = remarks(first)
    assert remark.startswith("Published baseline, ResNet50 quality; student, ResNet50 quality: As a blog on the paper")
    assert "degrees" not in known("aghli2021", record)


def test_a_share_of_another_cell_is_by_seed(record: StudyRecord) -> None:
    choices = record.trials[1].choices
    whole = Cell(choices, FIRST, "validation")
    fall = Values(record).of(Cell(choices, LAST, "validation", of=whole))
    base, end = (Values(record).of(Cell(choices, place, "validation")) for place in (FIRST, LAST))
    assert fall == {seed: end[seed] - base[seed] for seed in base if seed in end}
    rate = Values(record).of(Cell(choices, LAST, "validation", of=whole, by="rate"))
    assert rate[0] == pytest.approx(base[0] / end[0])


def test_the_first_model_with_no_more_macs_than_another() -> None:
    one = curve(1, recipe(), {0.0: 0.9, 0.5: 0.8, 0.9: 0.5})
    points = [
        replace(point, measured=replace(point.measured, macs=macs))
        for point, macs in zip(one.points, (100, 60, 20), strict=True)
    ]
    one = replace(one, points=tuple(points))
    other = trial(
        2, recipe("at"), [replace(points[0], id="x", measured=replace(points[0].measured, macs=70))], {"a": 1}
    )
    values = Values(study(plain_teacher(), one, other))
    cell = Cell(one.choices, figure="sparsity", within=Cell({"a": 1}, LAST))
    assert values.of(cell) == {0: 0.5}


def test_a_figure_measured_afterwards_is_asked_for(record: StudyRecord) -> None:
    asked: list[str] = []

    def beside(point: object, figure: str) -> float:
        asked.append(figure)
        return 3.0

    found = Values(record, beside).of(Cell(record.trials[1].choices, FIRST, "ms@64"))
    assert set(found.values()) == {3.0}
    assert set(asked) == {"ms@64"}


def test_a_curve_that_is_not_whole_has_no_end() -> None:
    first, again = curve(1, recipe(), {0.0: 0.9, 0.9: 0.5}), curve(2, recipe(), {0.0: 0.8}, 1, 1)
    for status in ("running", "stopped", "failed"):
        values = Values(study(plain_teacher(), first, replace(again, status=status)))
        assert set(values.of(Cell(first.choices, LAST))) == {0}
        assert set(values.of(Cell(first.choices, FIRST))) == {0, 1}
        assert Values(study(plain_teacher(), replace(first, status=status))).of(Cell(first.choices, LAST)) == {}


def test_a_recipe_whose_models_all_came_with_others_has_their_seeds() -> None:
    first, again = curve(1, recipe(), {0.0: 0.9, 0.9: 0.5}), curve(2, recipe(), {0.0: 0.8, 0.9: 0.4}, 1, 1)
    shared = trial(3, recipe(lr=0.02), [replace(first.points[0], trial=3)], {"distiller": "kd", "alone": 1})
    values = Values(study(plain_teacher(), first, again, shared))
    assert values.of(Cell(shared.choices, LAST, "validation")) == {0: 0.9, 1: 0.8}
