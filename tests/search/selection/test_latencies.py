"""Latencies that decide a choice are measured again, alone, and kept beside the ledger."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

import paretune
from compress.data.tasks import Task
from compress.latency import forms
from compress.latency.forms import Timing
from compress.latency.latency_model import machine_of
from compress.latency.target import Target
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.bucket import open_store
from compress.training.settings import Training
from search.selection import latencies
from search.selection.amount import Amount
from search.selection.budget import Budget
from search.selection.latencies import FILE, deciding, time_front, timed
from search.selection.selection import Selection
from search.study.record import LATENCY_MODEL, Point, point_event
from search.study.study import Study
from tests.search.points import point, seeds

ONCE = Training(epochs=1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts how often a network of so many params is timed; one ms for each hundred of them, on an idle machine."""
    asked: dict[str, int] = {}

    def opened(model: Any, shape: object, target: Target) -> str:
        return str(sum(p.numel() for p in model.parameters()))

    def run(params: str, target: Target) -> Timing:
        asked[params] = asked.get(params, 0) + 1
        return Timing(int(params) / 100, int(params) / 50)

    monkeypatch.setattr(forms, "opened", opened)
    monkeypatch.setattr(forms, "timed", run)
    monkeypatch.setattr(latencies, "is_busy", lambda: False)
    return asked


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, tiny: Task) -> Study:
    """One trial of three points, the smaller the slower, on two devices, as if its neighbours had disturbed."""
    study = Study(tmp_path_factory.mktemp("home"), "s")
    study.begin(task="digits", space="joint", objectives=["accuracy", "params"], seed=0, reference_point={})
    recipe = Recipe("digits", Model("cnn", 0.25), (Train(ONCE), Prune(L1Filter(), 0.6, OneShot(2), Recovery(ONCE))))
    study.ask(dict(recipe.as_json()), {}, None)
    for n, made in enumerate(Pipeline(tiny, open_store(study.store)).run(recipe)):
        figures: dict[str, Any] = {"latency_ms": 1.0 + n, "device": "cpu" if n else "NVIDIA A10G"}
        study.add(0, point_event(made.key, made.sparsity, made.variant, replace(made.measured, **figures)))
    return study


@pytest.fixture
def study(origin: Study) -> Study:
    (origin.folder / FILE).unlink(missing_ok=True)
    return origin


def select(study: Study, **asked: Any) -> Selection:
    return paretune.select("s", home=study.home, **asked)


def test_the_fastest_is_the_one_that_is_fastest_now_and_alone(study: Study, quick: dict[str, int]) -> None:
    found = select(study, prefer="latency")
    assert found.best is not None
    assert found.best.measured.params == min(point.measured.params for point in study.record.points)
    assert found.best.measured.latency_ms == found.best.measured.params / 100
    assert (found.best.measured.device, found.best.measured.threads) == ("onnx:cpu:1", 1)
    assert set(quick.values()) == {1}
    assert found.latencies == f"of 3 models measured alone on onnx:cpu:1 ({machine_of(Target())})"
    assert found.as_json()["latencies"] == found.latencies


def test_a_bound_on_latency_is_held_against_the_latencies_of_now(study: Study, quick: dict[str, int]) -> None:
    least = min(point.measured.params for point in study.record.points)
    found = select(study, max_latency_ms=f"{least / 100:.2f}")
    assert [rated.point.measured.params for rated in found.fits] == [least]
    assert [point.measured.latency_ms for point in study.record.points] == [1.0, 2.0, 3.0]


def test_other_choices_time_nothing(study: Study, quick: dict[str, int]) -> None:
    assert select(study, max_params="20k").latencies == ""
    assert quick == {}


def test_what_was_measured_is_not_measured_again_on_the_same_device(
    study: Study, quick: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = select(study, prefer="latency")
    kept = [json.loads(line) for line in (study.folder / FILE).read_text().splitlines()]
    assert {(one["device"], one["threads"], one["batch"], one["form"]) for one in kept} == {
        ("onnx:cpu:1", 1, 1, "onnx")
    }
    with (study.folder / FILE).open("a") as file:
        file.write('{"id": "x"\n[]\n{"id": 1, "latency_ms": "nan"}\n')
    quick.clear()
    assert select(study, prefer="latency").fits == first.fits
    assert quick == {}
    monkeypatch.setattr(latencies, "machine_of", lambda target: "another")
    select(study, prefer="latency")
    assert len(quick) == 3


def test_figures_of_a_busy_machine_are_not_kept(
    study: Study, quick: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latencies, "is_busy", lambda: True)
    select(study, prefer="latency")
    assert not (study.folder / FILE).exists()


def test_a_share_of_the_teachers_latency_is_of_the_teacher_on_the_target(study: Study, quick: dict[str, int]) -> None:
    whole = study.record.teacher
    assert whole is not None
    found = select(study, max_latency_ms="60%", target="torch:cpu:1")
    assert found.budget.max_latency_ms == Amount(0.6 * whole.measured.params / 100)
    assert {rated.point.measured.device for rated in found.fits} == {"torch:cpu:1"}
    assert 0 < len(found.fits) < len(study.record.points)


def test_a_target_that_cannot_be_run_here_is_refused(study: Study) -> None:
    with pytest.raises(ValueError, match="target: torch:cuda:1 needs a GPU on this machine, there is none"):
        select(study, prefer="latency", target="torch:cuda")
    with pytest.raises(ValueError, match="target: form: unknown 'tflite'"):
        select(study, prefer="latency", target="tflite")


def nothing() -> NoReturn:
    raise AssertionError("there is nothing to time")


def test_models_that_are_gone_are_compared_by_their_trials_only_within_one_device(study: Study) -> None:
    record = replace(study.record, store=str(study.home / "empty"))
    with pytest.raises(
        ValueError, match=r"select: latencies were measured on .*NVIDIA A10G.* cannot be compared, and the"
    ):
        timed(record, study.folder, Budget(), nothing)
    alike = replace(record.trials[0], points=record.trials[0].points[1:])
    found = timed(replace(record, trials=(alike,)), study.folder, Budget(), nothing)
    assert found.said.startswith("as the study has them")
    assert sorted(point.measured.latency_ms for point in found.points) == [2.0, 3.0]


def test_an_export_is_compared_with_the_record_and_not_with_what_a_choice_has_measured(
    study: Study, quick: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    best = select(study, prefer="latency").best
    assert best is not None
    shipped: list[Any] = []

    def ship(settings: object, point: Point, *_: object, **__: object) -> dict[str, Any]:
        shipped.append(point)
        return {}

    monkeypatch.setattr("search.shipping.release.ship", ship)
    paretune.take("s", best, Path("out"), budget={}, home=study.home)
    assert shipped == [one for one in study.record.points if one.id == best.id]


def test_who_is_timed_may_be_chosen_under_some_bound_on_latency() -> None:
    small, large, worse, slower = point(0.8, 10), point(0.9, 100), point(0.7, 100), point(0.9, 100, ms=1.01)
    quick, over = point(0.6, 100, ms=0.1), point(0.99, 1000)
    points = [small, large, worse, slower, quick, over]
    found = deciding(points, Budget(max_params=Amount(500), max_latency_ms=Amount(0.5)))
    assert {one.id for one in found} == {one.id for one in (small, large, slower, quick, over)}
    assert len(deciding(seeds(0.9, 0.8, 0.85), Budget())) == 3


def test_a_front_is_timed_on_the_machine_of_its_latencies_alone(
    study: Study, quick: dict[str, int], tiny: Task, tmp_path: Path
) -> None:
    shutil.copytree(study.home, tmp_path / "home")
    copy = Study(tmp_path / "home", study.name)
    model: dict[str, Any] = {"target": "onnx:cpu:1", "machine": "another"}
    copy.header = {**study.header, LATENCY_MODEL: model}
    with pytest.raises(ValueError, match="target: the study's latencies are of another, this is "):
        time_front(copy, tiny)
    model["machine"] = machine_of(Target())
    assert time_front(copy, tiny) == len(copy.record.timed) > 0
    assert time_front(copy, tiny) == 0
