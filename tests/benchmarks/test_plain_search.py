"""The obvious search that ours is compared with: what a trial pays for, and when a hypervolume is reached."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.one_point import chain
from benchmarks.plain_search import Spent, points_of
from benchmarks.search_efficiency import Course, until
from compress.measurement import Measurement
from compress.models import Model
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import APoZRounds, Cubic, L1Filter, OneShot, Schedule
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stage import Prune, Quantize, Recovery, Train
from compress.store import Store
from compress.tasks import Task
from compress.training import Training
from search.record import Point, StudyRecord

SHORT = Training(epochs=1, batch_size=32)


def recipe(tiny: Task, cut: Prune) -> Recipe:
    return Recipe(tiny.name, Model("cnn", 0.25), (Train(SHORT), cut, Quantize(Int8())))


@pytest.mark.parametrize("schedule", [OneShot(4), Cubic(4)], ids=["one-shot", "cubic"])
@pytest.mark.parametrize("int8", [False, True])
def test_one_point_pays_for_what_it_is_made_from_and_nothing_else(
    tiny: Task, tmp_path: Path, schedule: Schedule, int8: bool
) -> None:
    asked = {"int8": int8, "sparsity": 0.8}
    made = recipe(tiny, Prune(L1Filter(), 0.8, schedule, Recovery(SHORT)))
    steps = chain(plan(made, tiny.fingerprint), asked)
    levels = 1 if isinstance(schedule, OneShot) else 4
    assert len(steps) == 1 + levels + int8
    assert (steps[0].sparsity, steps[-1].sparsity) == (0.0, 0.8)
    store = Store(tmp_path)
    ((measured, spent),) = points_of(Pipeline(tiny, store), made, asked, whole=False)
    entries = [store.get(step.key) for step in steps]
    assert spent == pytest.approx(sum(entry.measured.seconds for entry in entries if entry))
    last = entries[-1]
    assert last is not None
    assert measured == last.measured


def test_a_method_that_finds_its_sparsity_gives_its_last_point_for_all_its_seconds(tiny: Task, tmp_path: Path) -> None:
    made = recipe(tiny, Prune(APoZRounds(tolerance=0.9, rounds=2), recovery=Recovery(SHORT)))
    asked = {"int8": False, "sparsity": 0.5}
    store = Store(tmp_path)
    ((measured, spent),) = points_of(Pipeline(tiny, store), made, asked, whole=False)
    curve = list(points_of(Pipeline(tiny, store), made, asked, whole=True))
    assert len(curve) > 1
    assert measured == curve[-1][0]
    int8 = [point.measured.seconds for point in Pipeline(tiny, store).run(made)][-1]
    assert spent == pytest.approx(sum(seconds for _, seconds in curve) + int8)


def measured(accuracy: float, params: int) -> Measurement:
    return Measurement(accuracy, accuracy, params, params, params, params, params, 1.0, 1.0, "cpu", 1, 2.0)


def test_seconds_add_up_and_a_result_that_tune_repeats_counts_once(tmp_path: Path) -> None:
    out = tmp_path / "points.jsonl"
    spent = Spent(out, 5.0)
    for trial, iteration in (("a", 1), ("a", 2), ("a", 2), ("b", 1)):
        assert not spent.stop_all()
        spent(trial, {**asdict(measured(0.5, 10)), "spent": 2.0, "training_iteration": iteration, "config": {}})
    assert spent.stop_all()
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["compute"] for line in lines] == [2.0, 4.0, 6.0]
    assert Measurement(**lines[0]["measured"]) == measured(0.5, 10)


def test_a_hypervolume_is_reached_at_the_point_that_brings_it(tmp_path: Path) -> None:
    point = Point("", 0, {}, 0.0, "", measured(0.5, 30), "")
    better = replace(point, measured=measured(0.9, 10))
    record = StudyRecord("s", "t", "p", ("accuracy", "params"), {"accuracy": 0.0, "params": 100.0}, ())
    found = Course([(1.0, point), (4.0, better), (9.0, better)], 3, 9.0)
    assert until(found, record, 0.01) == 1.0
    assert until(found, record, 0.3) == 4.0
    assert until(found, record, 0.99) is None
