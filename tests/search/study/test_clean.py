"""Cleaning drops the models that no front needs; every figure stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from compress.figures import RECORDED
from compress.models import Model
from compress.store.bucket import open_store
from compress.store.files import Files
from compress.store.folder import Store
from search.study.clean import clean
from search.study.record import Point
from search.study.study import Study

Event = Callable[..., dict[str, Any]]
Form = Callable[[int], dict[str, Any]]
BAD: dict[str, float] = {one.name: 5000 if one.is_cost else 0.1 for one in RECORDED}


@pytest.fixture
def add(tmp_path: Path, event: Event, form: Form) -> Callable[..., Point]:
    """A stored point of a study: `add(study, key, sparsity, variant, **figures)`, in its first trial."""
    store = Store(tmp_path / "store")
    files = Files.of(Model("cnn", 0.125).build(10, 1), Model("cnn", 0.125), classes=10, channels=1)

    def build(study: Study, key: str, *place: Any, **figures: Any) -> Point:
        if not study.trials:
            study.ask(form(1), {}, None)
        point = study.add(0, event(key, *place, **figures))
        assert point is not None
        store.put(key, files, point.measured, {})
        return point

    return build


@pytest.fixture
def full(study: Study, add: Callable[..., Point]) -> Study:
    """A best point, an unpruned one and a bad one, of a trial that is over."""
    add(study, "best", 0.5)
    add(study, "whole", 0.0, **BAD)
    add(study, "worse", 0.5, **BAD)
    study.end(0, "complete", "", 1.0, {})
    return study


def kept(study: Study) -> list[str]:
    return [point.id for point in study.record.points if open_store(study.store).get(point.id) is not None]


def test_the_front_and_the_unpruned_model_survive_and_the_rest_is_dropped(full: Study) -> None:
    dropped, freed = clean(full, [])
    assert kept(full) == ["best", "whole"]
    assert dropped == 1
    assert freed > 1000


def test_figures_stay(full: Study) -> None:
    before = full.record
    clean(full, [])
    assert Study(full.home, full.name).record == before


def test_a_second_time_there_is_nothing_to_drop(full: Study) -> None:
    clean(full, [])
    assert clean(full, []) == (0, 0)


def test_a_cost_that_is_no_objective_of_the_study_keeps_its_front_too(full: Study, add: Callable[..., Point]) -> None:
    add(full, "quick", 0.5, **{**BAD, "latency_ms": 0.1})
    clean(full, [])
    assert "quick" in kept(full)


def test_what_another_study_has_on_its_front_survives(full: Study, add: Callable[..., Point], form: Form) -> None:
    other = Study(full.home, "t")
    other.begin(**{key: value for key, value in full.header.items() if key not in ("event", "version", "name", "time")})
    add(other, "worse", 0.5, **BAD)
    other.end(0, "complete", "", 1.0, {})
    assert clean(full, [other]) == (0, 0)
    assert "worse" in kept(full)


def test_points_of_a_trial_that_runs_elsewhere_survive(full: Study, add: Callable[..., Point]) -> None:
    other = Study(full.home, "t")
    other.begin(**{key: value for key, value in full.header.items() if key not in ("event", "version", "name", "time")})
    add(other, "best", 0.5)
    add(other, "worse", 0.5, **BAD)
    assert clean(full, [other]) == (0, 0)


def test_a_dropped_model_is_made_again_from_the_same_key(full: Study) -> None:
    clean(full, [])
    store = open_store(full.store)
    assert store.get("worse") is None
    torch.manual_seed(0)
    files = Files.of(Model("cnn", 0.125).build(10, 1), Model("cnn", 0.125), classes=10, channels=1)
    store.put("worse", files, full.record.points[2].measured, {})
    assert kept(full) == ["best", "whole", "worse"]


def test_what_teachers_have_said_goes(full: Study) -> None:
    store = open_store(full.store)
    file = store.views("abc-cpu")
    file.parent.mkdir()
    file.write_bytes(bytes(8192))
    freed = clean(full, [])[1]
    assert not file.exists()
    assert freed >= 8192
