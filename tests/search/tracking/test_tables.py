import json
from dataclasses import replace
from pathlib import Path

import pandas

from search.study.front import hypervolume
from search.study.seeds import front_of
from search.tracking.tables import rows, write_tables
from tests.search.mirrored import point, reseeded, study, trial


def test_the_tables_hold_the_front_and_all_points(tmp_path: Path) -> None:
    plain = replace(trial(0, points=1), choices={})
    beaten = replace(point(1, 0.5), measured=replace(point(1, 0.5).measured, params=2000))
    write_tables(study(plain, replace(trial(1, points=2), points=(point(1, 0.2), beaten))), tmp_path)
    best = pandas.read_parquet(tmp_path / "front.parquet")
    assert list(best["trial"]) == [0, 1]
    assert list(best["order"].fillna("")) == ["", "prune"]
    assert len(pandas.read_parquet(tmp_path / "points.parquet")) == 3
    assert list(pandas.read_parquet(tmp_path / "breakpoints.parquet")["trial"]) == [1]
    shown = json.loads((tmp_path / "front.json").read_text())
    assert shown["columns"][:4] == ["trial", "variant", "sparsity", "validation_accuracy"]
    assert json.loads((tmp_path / "breakpoints.json").read_text())["columns"][0] == "trial"


def test_the_front_is_of_means_over_seeds(tmp_path: Path) -> None:
    whole = study(trial(0, 2), trial(1, 2), reseeded(trial(0, 2), 2, -0.2), reseeded(trial(0, 2), 3, -0.1))
    write_tables(whole, tmp_path)
    best = pandas.read_parquet(tmp_path / "front.parquet")
    wanted = front_of(whole.points, whole.objectives)
    assert list(best["id"]) == [family.points[0].id for family in wanted] == ["1/0.0", "1/0.1", "0/0.1"]
    assert list(best["validation_accuracy"]) == [family.validation for family in wanted]
    assert list(best["test_accuracy"]) == [0.9, 0.9, 0.8]
    assert list(best["seeds"]) == [1, 1, 3]
    assert list(best["margin"].isna()) == [True, True, False]
    assert best["margin"][2] == wanted[2].margin
    told = [
        replace(point(0, 0), measured=replace(point(0, 0).measured, score_validation=accuracy, params=params))
        for accuracy, params in zip(best["validation_accuracy"].tolist(), best["params"].tolist(), strict=True)
    ]
    volumes = [
        hypervolume(points, whole.objectives, whole.reference_point)
        for points in (told, [family.mean for family in wanted], whole.points)
    ]
    assert volumes[0] == volumes[1] < volumes[2]
    shown = json.loads((tmp_path / "front.json").read_text())
    assert [row[shown["columns"].index("margin")] is None for row in shown["data"]] == [True, True, False]


def test_points_can_be_grouped_by_what_they_are_seeds_of(tmp_path: Path) -> None:
    write_tables(study(trial(0, 2), trial(1, 1), reseeded(trial(0, 2), 2, 0.1)), tmp_path)
    points = pandas.read_parquet(tmp_path / "points.parquet")
    assert {name: list(found) for name, found in points.groupby("family")["seed"]} == {
        "0/0.0": [0, 102],
        "0/0.1": [0, 102],
        "1/0.0": [1],
    }
    assert list(points["test_accuracy"]) == [0.9, 0.9, 0.9, 1.0, 1.0]


def test_a_study_without_points_has_no_tables(tmp_path: Path) -> None:
    write_tables(study(trial(0, 0)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_row_of_an_unknown_trial_has_no_labels() -> None:
    (row,) = rows(study(trial(1)), [point(5, 0.5)])
    assert row["order"] is None
