"""The obvious search that ours is compared with: what a trial pays for, and when a hypervolume is reached."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.search.courses import Came, Course, moving, read, write
from benchmarks.search.efficiency import Table
from benchmarks.search.one_point import chain, points_of
from benchmarks.search.plain_search import Spent
from compress.data.tasks import Task
from compress.measurement import Measurement
from compress.models import Model
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import APoZRounds, Cubic, L1Filter, OneShot, Schedule
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Recovery, Train
from compress.store.folder import Store
from compress.training.settings import Training

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
    ((point, spent),) = points_of(Pipeline(tiny, store), made, asked, whole=False)
    entries = [store.get(step.key) for step in steps]
    assert spent == pytest.approx(sum(entry.measured.seconds for entry in entries if entry))
    last = entries[-1]
    assert last is not None
    assert (point.key, point.sparsity, point.variant) == (last.key, 0.8, "int8" if int8 else "float")
    assert point.measured == last.measured
    assert list(points_of(Pipeline(tiny, store), made, asked, whole=False)) == [(replace(point, known=True), 0.0)]


def test_a_method_that_finds_its_sparsity_gives_its_last_point_for_all_its_seconds(tiny: Task, tmp_path: Path) -> None:
    made = recipe(tiny, Prune(APoZRounds(tolerance=0.9, rounds=2), recovery=Recovery(SHORT)))
    asked = {"int8": False, "sparsity": 0.5}
    store, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    ((point, spent),) = points_of(Pipeline(tiny, store), made, asked, whole=False)
    whole = list(Pipeline(tiny, store).run(made))
    assert spent == pytest.approx(sum(point.measured.seconds for point in whole))
    curve = list(points_of(Pipeline(tiny, other), made, asked, whole=True))
    assert len(curve) > 1
    assert curve[-1][0].measured.score_test == point.measured.score_test
    again = [(replace(one, known=True), 0.0) for one, _ in curve]
    assert list(points_of(Pipeline(tiny, other), made, asked, whole=True)) == again


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


REFERENCE = {"accuracy": 0.0, "params": 100.0, "flops": 200.0}


def course(search: str, seed: int, compute: float, *came: Came) -> Course:
    return Course(search, seed, "here", 3, 9, compute, compute, REFERENCE, moving(came, REFERENCE))


def test_a_hypervolume_is_reached_at_the_point_that_brings_it() -> None:
    found = course("ours", 0, 9.0, Came(1.0, 0.5, 30, 30), Came(4.0, 0.9, 10, 10), Came(8.0, 0.8, 10, 10))
    assert len(found.came) == 2
    assert found.until(0.01) == 1.0
    assert found.until(0.1) == 4.0
    assert found.until(0.99) is None


def test_a_recorded_search_is_read_as_it_was_and_the_later_of_two_counts(tmp_path: Path) -> None:
    first, again, other = (
        course("ours", seed, end, Came(1.0, 0.5, 30, 30)) for seed, end in ((0, 5.0), (0, 6.0), (1, 5.0))
    )
    for one in (first, other, again):
        write(one, tmp_path / "recorded")
    assert read(tmp_path / "recorded") == {("ours", 0): again, ("ours", 1): other}
    assert read(tmp_path / "none") == {}


def test_the_table_says_how_many_times_longer_another_search_took_and_what_was_not_run() -> None:
    fast = [course("ours", seed, 20.0, Came(2.0, 0.9, 10, 10)) for seed in (0, 1)]
    slow = course("plain tpe", 0, 30.0, Came(10.0, 0.9, 10, 10))
    known = {(one.search, one.seed): one for one in (*fast, slow)}
    table = Table(known)
    assert table.times("plain tpe", 0.95) == "5.0, -"
    assert "| 10 (10, -) |" in table.row("plain tpe")
    short = Table({**known, ("plain tpe", 0): course("plain tpe", 0, 30.0, Came(10.0, 0.5, 90, 90))})
    assert short.times("plain tpe", 0.95) == ">15.0, -"
    assert "| never (>30, -) |" in short.row("plain tpe")
    assert table.row("ours") in table.markdown()
