"""The picture of a run's note: every front model, the best models, nothing of a user's name as markup."""

from __future__ import annotations

import math
import xml.etree.ElementTree as tree
from dataclasses import replace

import pytest

from search.study.record import StudyRecord
from search.study.seeds import front_of
from search.tracking.chart import log_size, view
from search.tracking.picture import HEIGHT, MOST_DOTS, MOST_ROWS, picture
from tests.dashboards.records import MAE, by
from tests.search.mirrored import point, study, trial

SVG = "{http://www.w3.org/2000/svg}"


def drawn(whole: StudyRecord) -> tree.Element:
    return tree.fromstring(picture(whole))


def texts(whole: StudyRecord) -> list[str]:
    return [str(one.text) for one in drawn(whole).iter(f"{SVG}text")]


def dots(whole: StudyRecord, radius: str) -> list[tuple[float, float]]:
    found = [one for one in drawn(whole).iter(f"{SVG}circle") if one.get("r") == radius]
    return [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in found]


def test_every_model_of_the_front_is_a_dot_higher_if_more_accurate_and_further_right_if_larger() -> None:
    whole = study(trial(0, 9), trial(1, 9))
    best = front_of(whole.points, whole.objectives)
    places = dots(whole, "2.5")
    assert len(places) == len(best) > 2
    assert places == sorted(places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    assert all(0 <= y <= HEIGHT for _, y in places)


def test_an_error_is_drawn_with_the_least_at_the_top() -> None:
    whole = by(MAE, study(trial(0, 5)))
    assert [y for _, y in dots(whole, "2.5")] == sorted((y for _, y in dots(whole, "2.5")), reverse=True)
    said = texts(whole)
    assert float(said[0]) < float(said[1])


def test_the_best_models_stand_beside_the_front() -> None:
    said = texts(study(trial(0, 9)))
    assert said[5:10] == ["params at most", "validation", "test", "params", "best model"]
    assert said[10:] == [
        *("100% of teacher", "98.00%", "90.00%", "1,000", "trial 0 at 0%"),
        *("50% of teacher", "81.33%", "90.00%", "500", "trial 0 at 50%"),
        *("25% of teacher", "71.33%", "90.00%", "199", "trial 0 at 80%"),
    ]
    many = [replace(trial(number), points=(replace(point(number, number / 8), trial=number),)) for number in range(8)]
    assert len([one for one in texts(study(*many)) if one.endswith("of teacher")]) <= MOST_ROWS


def test_of_many_points_some_are_drawn() -> None:
    whole = study(*(trial(number, 9) for number in range(200)))
    assert MOST_DOTS / 4 <= len(dots(whole, "1.5")) <= MOST_DOTS
    some = study(trial(0, 3), trial(1, 3))
    assert len(dots(some, "1.5")) == len(some.points) - len(front_of(some.points, some.objectives))


def test_a_study_without_points_and_one_with_a_single_point_have_a_picture() -> None:
    assert dots(study(), "2.5") == []
    assert len(dots(study(trial(0, 1)), "2.5")) == 1


def test_a_name_of_a_quality_is_text() -> None:
    assert "<b>" not in picture(by(replace(MAE, name="<b>"), study(trial(0, 3))))


def test_the_view_is_of_the_front_and_along_the_logarithm_that_its_runs_have() -> None:
    whole = study(trial(0, 3))
    assert '"key": "log10_params"' in view(whole)
    assert '"key": "test_accuracy"' in view(whole)
    assert "tags.paretune.study = 'demo' and tags.front = 'yes'" in view(whole)
    key, value, step = log_size(whole.points[1], "params")
    assert (key, step) == ("log10_params", 100)
    assert value == pytest.approx(math.log10(900))
