"""The study as Optuna's own tools show it: natural units, named objectives, a trial a trial, and the same front."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search.sampling.optuna_study import OptunaStudy
from search.sampling.optuna_view import models_study, natural, write_view
from search.study.names import check_name
from search.study.record import Choice, StudyRecord
from search.study.seeds import front_of
from tests.dashboards.records import MAE, by
from tests.search.mirrored import reseeded, study, trial


def viewed(whole: StudyRecord, folder: Path) -> tuple[optuna.Study, optuna.Study]:
    """The study of trials and the study of models, as Optuna reads them."""
    write_view(whole, folder / "view.journal")
    storage = JournalStorage(JournalFileBackend(str(folder / "view.journal")))
    return (
        optuna.load_study(study_name=whole.name, storage=storage),
        optuna.load_study(study_name=models_study(whole.name), storage=storage),
    )


def test_a_trial_is_a_trial_in_natural_units_with_its_curve(tmp_path: Path) -> None:
    found, _ = viewed(study(trial(0), trial(1, 5)), tmp_path)
    assert found.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert found.metric_names == ["accuracy", "params"]
    assert len(found.trials) == 2
    one = found.trials[1]
    assert (one.params, one.values) == ({"order": "prune", "lr": 0.1}, [0.98, 1001.0])
    assert one.user_attrs["curve"][2] == {
        "sparsity": 0.2,
        "variant": "float",
        "accuracy": pytest.approx(0.93),
        "params": 801.0,
    }
    assert len(one.user_attrs["curve"]) == 5
    assert one.duration is not None
    assert one.duration.total_seconds() == pytest.approx(7.0)


def test_the_best_models_in_optuna_are_the_front(tmp_path: Path) -> None:
    lucky = reseeded(trial(1, 6), 3, -0.2)
    equal = replace(trial(4, 2), points=tuple(replace(p, id=f"4{p.id}", trial=4) for p in trial(0, 2).points))
    whole = study(trial(0, 6), trial(1, 6), trial(2, 6), lucky, equal)
    _, models = viewed(whole, tmp_path)
    best = front_of(whole.points, whole.objectives)
    assert {one.user_attrs["model"] for one in models.best_trials} == {family.points[0].id for family in best}
    wanted = sorted([natural(family.mean, name) for name in whole.objectives] for family in best)
    assert sorted(one.values for one in models.best_trials) == wanted
    drawn = optuna.visualization.plot_pareto_front(models).data[-1]
    assert sorted(zip(drawn.x, drawn.y, strict=True)) == [tuple(values) for values in wanted]


def test_an_error_is_minimised_in_its_own_unit(tmp_path: Path) -> None:
    whole = by(MAE, study(trial(0, 4)))
    whole = replace(whole, objectives=("mae", "params"))
    found, models = viewed(whole, tmp_path)
    assert found.directions == [StudyDirection.MINIMIZE, StudyDirection.MINIMIZE]
    assert found.trials[0].values[0] == pytest.approx(whole.quality.value(0.98))
    assert len(models.best_trials) == len(front_of(whole.points, whole.objectives))


def test_the_bounds_of_the_search_are_constraints(tmp_path: Path) -> None:
    header = {"budget": {"max_params": {"value": 900.0, "is_share": False}}}
    small = replace(trial(1), points=trial(1).points[2:])
    found, models = viewed(replace(study(trial(0), small), header=header), tmp_path)
    assert found.trials[0].system_attrs["constraints"] == [pytest.approx(100 / 900)]
    assert found.trials[1].system_attrs["constraints"] == [0.0]
    assert found.trials[1].user_attrs["bounds"] == {"max_params": "900"}
    assert [one.number for one in found.best_trials] == [1]
    assert not any("constraints" in one.system_attrs for one in models.trials)


@pytest.mark.parametrize(
    ("status", "points", "state"),
    [
        ("failed", 0, TrialState.FAIL),
        ("stopped", 0, TrialState.FAIL),
        ("running", 0, TrialState.RUNNING),
        ("stopped", 2, TrialState.COMPLETE),
    ],
)
def test_a_trial_without_points_has_its_state_and_no_values(
    status: str, points: int, state: TrialState, tmp_path: Path
) -> None:
    one = replace(trial(0, points), status=status, reason="why")  # type: ignore[arg-type]
    found, _ = viewed(study(one), tmp_path)
    assert [(each.state, bool(each.values)) for each in found.trials] == [(state, points > 0)]
    assert found.trials[0].user_attrs["reason"] == "why"


def test_choices_of_all_kinds_and_of_some_trials_only_are_shown(tmp_path: Path) -> None:
    chosen: tuple[dict[str, Choice], ...] = (
        {"int8": True, "teacher": None, "depth": 3},
        {"int8": False, "teacher": "cnn", "lr": 1},
        {"lr": 0.5},
    )
    whole = study(*(replace(trial(n), choices=choices) for n, choices in enumerate(chosen)))
    found, _ = viewed(whole, tmp_path)
    assert [one.params for one in found.trials] == list(chosen)


def test_a_study_without_points_has_a_view_and_a_second_look_replaces_the_first(tmp_path: Path) -> None:
    assert viewed(study(), tmp_path)[0].trials == []
    assert len(viewed(study(trial(0)), tmp_path)[0].trials) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["view.journal"]


def test_writing_the_view_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_view(study(trial(0)), tmp_path / "view.journal")
    assert capfd.readouterr() == ("", "")


def test_no_study_of_ours_can_have_the_name_of_the_study_of_models() -> None:
    with pytest.raises(ValueError, match="study name must begin"):
        check_name(models_study("demo"))


def test_what_the_samplers_are_told_has_names_and_a_study_of_an_earlier_version_gets_them() -> None:
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="old", directions=["minimize", "minimize"])
    ours = OptunaStudy(storage, "old", ("accuracy", "params"), 0, "random")
    ours.catch_up(study(), {})
    assert ours.study.metric_names == ["accuracy error", "log10 params"]
    assert ours.study.directions == [StudyDirection.MINIMIZE, StudyDirection.MINIMIZE]
