"""Whole searches whose models lie in a bucket: a second home trains nothing again, another machine reads them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.bucket import RemoteStore
from compress.store.objects import PROTOCOLS
from compress.training.settings import Training
from search.beginning import launch
from search.settings import Settings
from search.shipping.verified_export import stored
from search.study.clean import clean
from search.study.names import StudyError
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import SPACES, Space
from spaces.space import Trial


def build(trial: Trial, task: str, seed: int) -> Recipe:
    width = float(trial.suggest_categorical("width", (0.25, 0.5)))
    cut = Prune(L1Filter(), 0.6, OneShot(2), Recovery(Training(epochs=1, lr=0.02)))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=1)), cut), seed=seed)


@pytest.fixture(params=["s3", *(pytest.param(one, marks=pytest.mark.slow) for one in PROTOCOLS if one != "s3")])
def bucket(request: pytest.FixtureRequest, new_bucket: Callable[[str], str]) -> str:
    """An empty place in a bucket of every protocol."""
    return new_bucket(request.param)


@pytest.fixture
def search(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, StudyRecord]:
    """A home and its study, all of it trained for the first time."""
    monkeypatch.setitem(SPACES, "quick", Space("quick", build, Model("cnn", 0.5), "", ({"width": 0.25},)))
    home = tmp_path / "home"
    return home, launch.search(Settings("s", space="quick", trials=2, home=home, store=bucket))


def test_the_models_of_a_search_lie_in_its_bucket(
    search: tuple[Path, StudyRecord], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, study = search
    assert [trial.status for trial in study.trials] == ["complete", "complete"]
    assert study.store == Study(home, "s").store == bucket
    assert not list((home / "store").glob("*/*/*.safetensors"))
    store = RemoteStore(bucket)
    assert not store.bucket.files.glob(f"{store.bucket.base}/locks/*")
    shutil.rmtree(tmp_path / "cache")
    for point in study.points:
        assert stored(point, study).files().module() is not None
        assert store.bucket.files.exists(point.path)

    again = launch.search(Settings("t", space="quick", trials=2, home=tmp_path / "other", store=bucket))
    assert {point.id for point in again.points} == {point.id for point in study.points}
    assert sum(trial.spent.get("train", 0.0) for trial in again.trials) == 0

    with pytest.raises(StudyError, match=f"clean: the models must lie in the home, those of s are in {bucket}"):
        clean(Study(home, "s"), [])
    with pytest.raises(StudyError, match=f"study s: was begun with the store {bucket}, got /elsewhere"):
        launch.search(Settings("s", space="quick", trials=3, home=home, store="/elsewhere", resume=True))
    assert len(launch.search(Settings("s", space="quick", trials=2, home=home, resume=True)).trials) == 2


def test_a_search_into_no_bucket_is_refused_before_anything_starts(bucket: str, tmp_path: Path) -> None:
    nowhere = f"{bucket.partition('://')[0]}://of-nobody/x"
    with pytest.raises(ValueError, match=f"store must be writable, got {nowhere}: .* does not exist"):
        launch.search(Settings("s", trials=2, home=tmp_path / "home", store=nowhere))
    assert not (tmp_path / "home" / "studies").exists()
