"""A home that is moved or copied: MLflow finds every artifact at the new place, registered models stay."""

from __future__ import annotations

import shutil
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.tracking._tracking_service import utils

from search.study.driver_file import DriverFile, remove
from search.tracking.client import TrackingError
from search.tracking.experiment import ARTIFACTS, move_with_home
from search.tracking.moved_home import follow_move
from search.tracking.runs import Runs
from search.tracking.study_runs import StudyRuns
from search.tracking.sync import Sync
from search.uri import sqlite_uri
from tests.search.mirrored import study, trial

DATABASE = "mlflow.db"


def mirrored(home: Path) -> Sync:
    return Sync(sqlite_uri(home / DATABASE), "demo", home / ARTIFACTS)


@pytest.fixture
def moved(tmp_path: Path) -> tuple[Path, Path]:
    """The place of a home with a study and a registered model, and the place it was moved to."""
    old, new = tmp_path / "old home", tmp_path / "new"
    old.mkdir()
    mirrored(old).sync(study(trial(0)))
    runs = Runs(sqlite_uri(old / DATABASE), "demo", old / ARTIFACTS)
    runs.register("net", runs.known[None], {}, "a model", "best")
    shutil.move(old, new)
    utils._artifact_repos_cache.clear()  # a move is seen by new processes
    return old, new


def addresses(home: Path) -> list[str]:
    """Every text of the database with an address of an artifact."""
    with sqlite3.connect(home / DATABASE) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = (cell for name in tables for row in database.execute(f'SELECT * FROM "{name}"') for cell in row)
        return [cell for cell in cells if isinstance(cell, str) and f"/{ARTIFACTS}" in cell]


def test_a_moved_home_is_mirrored_and_its_artifacts_are_read_at_the_new_place(moved: tuple[Path, Path]) -> None:
    old, new = moved
    mirrored(new).sync(study(trial(0), trial(1)))
    assert addresses(new)
    assert all(each.startswith(f"{new.as_uri()}/{ARTIFACTS}") for each in addresses(new))
    assert not old.exists()
    client = MlflowClient(sqlite_uri(new / DATABASE))
    runs = Runs(sqlite_uri(new / DATABASE), "demo", new / ARTIFACTS)
    assert {one.path for one in client.list_artifacts(runs.known[None].id)} >= {"front.json"}
    version = client.get_model_version_by_alias("net", "best")
    assert str(version.source).startswith(runs.known[None].artifacts)


def test_a_copy_has_artifacts_of_its_own(moved: tuple[Path, Path]) -> None:
    old, new = moved
    shutil.copytree(new, old)
    for home in (old, new):
        move_with_home(home / DATABASE)
        assert all(each.startswith(f"{home.as_uri()}/{ARTIFACTS}") for each in addresses(home))
    assert follow_move(old / DATABASE, (old / ARTIFACTS).as_uri(), "paretune") == ""


def test_addresses_elsewhere_and_other_experiments_stay(moved: tuple[Path, Path]) -> None:
    old, new = moved
    with sqlite3.connect(new / DATABASE) as database:
        beside = f"{old.as_uri()}/{ARTIFACTS}-of-mine"
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'Default'", (beside,))
    move_with_home(new / DATABASE)
    assert beside in addresses(new)


def test_a_database_of_a_home_with_a_search_at_work_or_with_artifacts_elsewhere_stays(moved: tuple[Path, Path]) -> None:
    old, new = moved
    before = addresses(new)
    study = new / "studies" / "demo"
    study.mkdir(parents=True)
    replace(DriverFile.here(started=time.time()), host="another", pid=1).write(study)
    move_with_home(new / DATABASE)
    assert addresses(new) == before, "in a container the home may have another path"
    remove(study)
    with sqlite3.connect(new / DATABASE) as database:
        database.execute(
            "UPDATE experiments SET artifact_location = ? WHERE name = 'paretune'", (f"{old.as_uri()}/bucket",)
        )
    assert follow_move(new / DATABASE, (new / ARTIFACTS).as_uri(), "paretune") == ""


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_text("x" * 5000)
    with pytest.raises(TrackingError, match=r"mlflow.db must be MLflow's database, and be writable, got file is not"):
        move_with_home(tmp_path / DATABASE)
    (tmp_path / DATABASE).unlink()
    move_with_home(tmp_path / DATABASE)
    assert not (tmp_path / DATABASE).exists()


def test_the_view_of_a_renamed_or_deleted_study_goes(moved: tuple[Path, Path]) -> None:
    home = moved[1]
    client = MlflowClient(sqlite_uri(home / DATABASE))

    def views() -> list[str]:
        found = client.get_experiment_by_name("paretune")
        assert found is not None
        return [name.rpartition(".")[2] for name in found.tags if "sharedViewState" in name]

    mirror = StudyRuns(sqlite_uri(home / DATABASE), home / ARTIFACTS)
    assert views() == ["paretune-demo"]
    mirror.rename_runs("demo", "uno")
    assert views() == []
    assert mirror.delete_runs("uno") > 0, "also without a view"
