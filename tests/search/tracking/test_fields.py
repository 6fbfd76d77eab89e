import json
from dataclasses import replace
from pathlib import Path

import pytest

from compress.measurement import Measurement
from search.study.front import front, hypervolume
from search.study.record import Choice, Point, StudyRecord, TrialRecord
from search.study.seeds import families
from search.tracking.begun_with import study_params
from search.tracking.fields import (
    Course,
    family_metrics,
    front_tags,
    hidden_tag,
    label,
    point_metrics,
    state,
    study_tags,
    trial_metrics,
    trial_params,
    trial_tags,
    write_trial,
)
from tests.dashboards.records import MAE, by


def point(trial: int, sparsity: float, accuracy: float, *, params: int = 100, variant: str = "float") -> Point:
    measured = Measurement(accuracy, accuracy - 0.02, params, params, 10, 40, 30, 0.5, 0.6, "cpu", 1, 2.0)
    return Point(f"{trial}/{variant}/{sparsity}", trial, {"seed": trial}, sparsity, variant, measured, "/store/x")


def trial(number: int, *points: Point, **choices: Choice) -> TrialRecord:
    return TrialRecord(number, "complete", "", {"seed": number}, choices, points, 7.0, {"train": 6.0})


def study(*trials: TrialRecord) -> StudyRecord:
    return StudyRecord("demo", "digits", "joint", ("accuracy", "params"), {"accuracy": 0.0, "params": 1000.0}, trials)


def test_a_curve_is_a_metric_over_per_mille_of_sparsity() -> None:
    metrics = trial_metrics(trial(1, point(1, 0.5, 0.8), point(1, 0.25, 0.9)))
    assert [m for m in metrics if m[0] == "float/validation_accuracy"] == [
        ("float/validation_accuracy", 0.9, 250),
        ("float/validation_accuracy", 0.8, 500),
    ]


def test_a_trials_own_figures_are_those_of_its_breakpoint() -> None:
    curve = [point(1, s, a, params=p) for s, a, p in [(0.0, 0.95, 900), (0.3, 0.945, 600), (0.6, 0.7, 300)]]
    for one in (trial(1, *curve), trial(1, *curve, point(1, 0.9, 0.95, params=100, variant="int8"))):
        logged = [step for step in trial_metrics(one) if "/" not in step[0] and step[0] != "seconds"]
        assert logged == point_metrics(curve[1])
        assert {("params", 600, 300), ("validation_accuracy", 0.945, 300), ("sparsity", 0.3, 300)} <= set(logged)
    alone = trial_metrics(trial(1, point(1, 0.5, 0.7, params=50, variant="int8")))
    assert ("params", 50, 500) in alone


def test_every_figure_of_a_point_is_logged_and_no_accuracy_is_mistaken_for_the_other() -> None:
    logged = {key: value for key, value, _ in trial_metrics(trial(1, point(1, 0.5, 0.8)))}
    curve = {key.removeprefix("float/"): value for key, value in logged.items() if key.startswith("float/")}
    assert curve.items() <= logged.items()
    assert {key: value for key, value in logged.items() if not key.startswith("float/")} == {
        "sparsity": 0.5,
        "validation_accuracy": 0.8,
        "test_accuracy": 0.78,
        "params": 100,
        "nonzero_params": 100,
        "macs": 10,
        "flops": 20,
        "size_bytes": 40,
        "compressed_bytes": 30,
        "latency_ms": 0.5,
        "seconds": 7.0,
        "spent/train": 6.0,
    }


def test_each_variant_has_a_curve() -> None:
    metrics = trial_metrics(trial(1, point(1, 0.5, 0.8), point(1, 0.5, 0.7, variant="int8")))
    assert ("int8/validation_accuracy", 0.7, 500) in metrics
    assert ("float/validation_accuracy", 0.8, 500) in metrics


def test_a_running_trial_has_its_curve_and_no_figures_of_its_own_yet() -> None:
    metrics = trial_metrics(replace(trial(1, point(1, 0.5, 0.8)), status="running"))
    assert {key.partition("/")[0] for key, _, _ in metrics} == {"float"}


def test_a_model_of_the_front_is_found_by_its_trials_labels() -> None:
    best = point(1, 0.5, 0.8, variant="int8")
    tags = front_tags(best, trial(1, best, order="prune", pruner="l1", lr=0.05), "demo")
    assert (tags["order"], tags["method"], tags["front"], tags["variant"]) == ("prune", "l1", "yes", "int8")
    assert label(best) == "trial 1 at 50.0% int8"


def test_a_front_models_figures_are_its_first_seeds_own_and_the_means_stand_beside_them() -> None:
    first, second = point(1, 0.5, 0.8), replace(point(2, 0.5, 0.9), family="1/float/0.5")
    (family,) = families([first, second])
    logged = family_metrics(family)
    assert point_metrics(first) == logged[:-4]
    assert logged[-4:-1] == [
        ("seeds", 2, 2),
        ("mean_validation_accuracy", 0.85, 2),
        ("mean_test_accuracy", 0.83, 2),
    ]
    assert logged[-1] == ("margin", family.margin, 2)
    (alone,) = families([first])
    assert family_metrics(alone) == [
        *point_metrics(first),
        ("seeds", 1, 1),
        ("mean_validation_accuracy", 0.8, 1),
        ("mean_test_accuracy", 0.78, 1),
    ]


def test_labels_are_tags_and_all_choices_are_params() -> None:
    chosen = trial(1, order="prune", student="cnn", pruner="l1", lr=0.05)
    tags = trial_tags(chosen, "demo")
    assert {key: tags[key] for key in ("order", "student", "pruner", "method")} == {
        "order": "prune",
        "student": "cnn",
        "pruner": "l1",
        "method": "l1",
    }
    assert "teacher" not in tags
    assert "lr" not in tags
    params = trial_params(chosen)
    assert params == {
        "recipe": tags[hidden_tag("recipe")],
        "order": "prune",
        "student": "cnn",
        "pruner": "l1",
        "lr": "0.05",
    }


def test_a_reason_longer_than_mlflow_takes_is_cut() -> None:
    tags = trial_tags(replace(trial(1), status="failed", reason="x" * 9000), "demo")
    assert 1000 < len(tags["reason"]) <= 5000


def test_the_state_changes_with_status_and_points_only() -> None:
    one = trial(1, point(1, 0.5, 0.8))
    assert state(one) == state(replace(one, seconds=9.0))
    assert (
        len({state(one), state(replace(one, status="stopped")), state(trial(1)), state(replace(one, reason="r"))}) == 4
    )


def test_progress_after_each_trial_is_that_of_all_points_so_far() -> None:
    trials = [trial(n, point(n, 0.5, a, params=p)) for n, (a, p) in enumerate([(0.9, 500), (0.8, 900), (0.85, 100)])]
    whole = study(*trials)
    course = Course(whole)
    steps = [step for one in trials for step in course.after([one], 0)]
    for number in (1, 2, 3):
        points = study(*trials[:number]).points
        assert ("hypervolume", hypervolume(points, whole.objectives, whole.reference_point), number) in steps
        assert ("front_size", len(front(points, whole.objectives)), number) in steps
        assert ("points", number, number) in steps


def test_progress_goes_on_after_the_trials_already_known() -> None:
    trials = [trial(n, point(n, 0.5, 0.9, params=100 + n)) for n in range(4)]
    whole = study(*trials)
    assert Course(whole).after(trials, 3) == Course(whole).after(trials, 0)[-3:]
    assert Course(whole).after(trials, 4) == []


def test_a_trial_that_ends_a_second_time_is_no_further_step_but_its_new_points_count() -> None:
    first, second = trial(0, point(0, 0.5, 0.9)), trial(1, point(1, 0.5, 0.8))
    course = Course(study(first, second))
    course.after([first], 0)
    assert course.after([replace(first, points=(*first.points, point(0, 0.6, 0.95)))], 1) == []
    assert ("points", 3, 2) in course.after([second], 1)


def test_a_trials_artifacts_read_back(tmp_path: Path) -> None:
    one = trial(1, point(1, 0.5, 0.8))
    write_trial(one, tmp_path)
    assert json.loads((tmp_path / "recipe.json").read_text()) == {"seed": 1}
    assert json.loads((tmp_path / "points.json").read_text()) == [one.points[0].as_json()]


def test_a_studys_tags_name_what_it_searched() -> None:
    tags = study_tags(study())
    assert (tags["task"], tags["space"], tags["objectives"]) == ("digits", "joint", "accuracy, params")
    assert study_params(study()) == {}
    assert study_params(replace(study(), scale="small")) == {"scale": "small"}


def test_a_quality_is_logged_in_its_own_unit_and_metrics_beside_it_by_their_names() -> None:
    (one,) = by(replace(MAE, name="mae@0"), study(trial(1, point(1, 0.5, 0.9)))).trials
    logged = {key: value for key, value, _ in trial_metrics(one)}
    assert logged["validation_mae-0"] == pytest.approx(2.0)
    assert logged["float/test_mae-0"] == pytest.approx(2.4)
    assert logged["test_r2"] == 0.88
    assert not any("accuracy" in key or "@" in key for key in logged)


def test_the_settings_of_trainings_are_params_of_the_studys_run() -> None:
    assert study_params(study()) == {}
    told = replace(study(), training={"epochs": 3, "drops": [0.5, 0.75]}, recovery={"optimizer": "adamw"})
    assert study_params(told) == {
        "training.epochs": "3",
        "training.drops": "0.5, 0.75",
        "recovery.optimizer": "adamw",
    }


def test_the_state_changes_with_a_latency_that_was_foreseen_and_is_measured() -> None:
    first = point(1, 0.5, 0.8)
    foreseen = replace(first, measured=replace(first.measured, device="onnx:cpu:1"))
    timed = replace(foreseen, measured=replace(foreseen.measured, latency_ms=0.25))
    assert state(trial(1, foreseen)) != state(trial(1, timed))
    again = replace(first, measured=replace(first.measured, latency_ms=0.25))
    assert state(trial(1, first)) == state(trial(1, again))
