"""Whole searches on a real Ray: what the ledger holds at the end, after a crash, after Ctrl-C, on a damaged store."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray
from optuna.trial import TrialState
from ray._private.services import find_gcs_addresses

from compress.data.tasks import Task
from compress.measure import accuracy, count
from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.folder import Store
from compress.training.settings import Training
from search.beginning import launch
from search.beginning.begin_checks import check_study
from search.running.driver import Driver
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.settings import Settings
from search.study.front import front
from search.study.names import StudyError
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import SPACES, Space
from spaces.space import EFFORT, Effort, Trial

FAILS = 3
"""The trial whose learning rate is absurd."""


def build(trial: Trial, task: str, seed: int) -> Recipe:
    width = float(trial.suggest_categorical("width", (0.25, 0.5)))
    lr = float(trial.suggest_categorical("lr", (0.1, 0.05, 0.02, 1e9)))
    cut = Prune(L1Filter(), 0.6, OneShot(2), Recovery(Training(epochs=1, lr=0.02)))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=1, lr=lr)), cut), seed=seed)


QUICK = Space(
    "quick",
    build,
    Model("cnn", 0.5),
    "",
    ({"width": 0.25, "lr": 0.1}, {"width": 0.5, "lr": 0.1}, {"width": 0.25, "lr": 1e9}),
)  # fmt: skip
SLOW = Space(
    "slow", build, Model("cnn", 0.5), "", tuple({"width": 0.5, "epochs": 12, "lr": x} for x in (0.1, 0.05, 0.02))
)


def main() -> None:
    """Run as a program, this file is a driver that can be killed: `test_launch.py HOME [--resume]`."""
    SPACES["slow"], EFFORT["digits"] = SLOW, Effort(8, 8)
    home, resume = Path(sys.argv[1]), "--resume" in sys.argv
    launch.search(Settings("s", space="slow", trials=4, home=home, sampler="random", resume=resume))


@dataclass(frozen=True)
class Done:
    """One search as it ended, what its driver was told of by the workers, and Optuna's side of it."""

    home: Path
    record: StudyRecord
    notes: list[str]
    study: Study


def searched(name: str, home: Path, *, stop_at: float = math.inf, **settings: Any) -> Done:
    """A search of four trials; Ctrl-C as soon as there are `stop_at` points."""
    notes: list[str] = []

    class Watch(launch.Listener):
        def heard(self, study: StudyRecord, driver: Driver) -> None:
            nonlocal stop_at
            notes[:] = driver.notes
            if len(study.points) >= stop_at:
                stop_at = math.inf
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES, "quick", QUICK)
        patch.setitem(EFFORT, "digits", Effort(1, 1))
        asked = {"space": "quick", "trials": 4, "sampler": "random", **settings}
        record = launch.search(Settings(name, home=home, **asked), Watch())
    return Done(home, record, notes, Study(home, name))


def left_over() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"paretune-{os.getpid()}-*"))


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Ctrl-C at the second point of four trials: the teacher, two good trials, a trial that diverges."""
    return searched("cold", tmp_path_factory.mktemp("home"), stop_at=2)


@pytest.fixture(scope="module")
def cold(interrupted: Done) -> Done:
    """The same, gone on with to its end."""
    return searched("cold", interrupted.home, resume=True)


@pytest.fixture(scope="module")
def warm(cold: Done) -> Done:
    """The same search as a new study of that home, after the last model of trial 1 was damaged."""
    weights = Path(cold.record.trials[1].points[-1].path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7] + b"garbage")
    return searched("warm", cold.home)


def test_after_ctrl_c_no_trial_is_running(interrupted: Done) -> None:
    states = Counter(trial.status for trial in interrupted.record.trials)
    assert states["running"] == 0 < states["stopped"]
    assert {t.reason for t in interrupted.record.trials if t.status == "stopped"} == {"interrupted"}


def test_going_on_after_ctrl_c_loses_no_point(interrupted: Done, cold: Done) -> None:
    before = {point.id: point for point in interrupted.record.points}
    assert before.items() <= {point.id: point for point in cold.record.points}.items()
    assert 2 <= len(before) < len(cold.record.points)


def test_going_on_after_ctrl_c_writes_and_tells_nothing_twice(cold: Done) -> None:
    assert_nothing_twice(cold.study)


def assert_nothing_twice(study: Study) -> None:
    """Of points and trials in the ledger, and of points in Optuna."""
    events = list(study.ledger.events())
    written = Counter((e["trial"], e["id"]) for e in events if e["event"] == "point")
    assert set(written.values()) == {1}
    assert [e["trial"] for e in events if e["event"] == "asked"] == [0, 1, 2, 3]
    storage = open_storage(None, study.folder)
    asked = OptunaStudy(storage, study.name, study.record.objectives, 0).study.get_trials()
    told = Counter(t.user_attrs["point"] for t in asked if "point" in t.user_attrs)
    assert told == Counter(p.id for t in study.record.trials[1:] for p in t.points)
    assert not [t for t in asked if t.state == TrialState.RUNNING]


def test_a_search_carries_out_every_trial(cold: Done) -> None:
    assert [trial.status for trial in cold.record.trials] == ["complete", "complete", "complete", "failed"]
    assert [len(trial.points) for trial in cold.record.trials] == [1, 3, 3, 0]


def test_what_is_returned_is_what_the_ledger_says(cold: Done) -> None:
    assert cold.study.record == cold.record


def test_every_point_reloads_to_what_the_ledger_says(cold: Done, warm: Done, digits: Task) -> None:
    store = Store(cold.home / "store")
    for point in warm.record.points:
        entry = store.get(point.id)
        assert entry is not None
        model = entry.files().module()
        assert accuracy(model, digits.validation) == point.measured.score_validation
        assert accuracy(model, digits.test) == point.measured.score_test
        assert count(model, (1, 8, 8)).params == point.measured.params
        assert len((entry.path / "model.safetensors").read_bytes()) == point.measured.size_bytes


def test_a_curve_shrinks_along_its_points(cold: Done) -> None:
    for trial in cold.record.trials[1:FAILS]:
        assert [point.sparsity for point in trial.points] == [0.0, 0.3, 0.6]
        params = [point.measured.params for point in trial.points]
        assert params == sorted(set(params), reverse=True)


def test_a_training_that_diverges_is_a_failed_trial_with_its_reason(cold: Done) -> None:
    assert "training: the loss became" in cold.record.trials[FAILS].reason
    assert "too high for this network" in cold.record.trials[FAILS].reason


def test_optuna_has_the_failed_trial_as_failed(cold: Done) -> None:
    optuna_study = OptunaStudy(open_storage(None, cold.study.folder), "cold", cold.record.objectives, 0)
    told = optuna_study.study.get_trials()
    failed = [t for t in told if t.params["lr"] == 1e9]
    assert [t.state for t in failed] == [TrialState.FAIL]


def test_the_reference_point_is_the_unpruned_teachers(cold: Done) -> None:
    teacher = cold.record.teacher
    assert teacher is not None
    reference = cold.record.reference_point
    assert reference["accuracy"] == 0.0
    assert (reference["params"], reference["flops"]) == (teacher.measured.params, teacher.measured.flops)
    assert reference["size_bytes"] == teacher.measured.size_bytes


def test_a_warm_store_answers_without_training(cold: Done, warm: Done) -> None:
    for trial in (0, 2):
        assert warm.record.trials[trial].spent.get("train", 0.0) == 0.0
        assert [p.measured for p in warm.record.trials[trial].points] == [
            p.measured for p in cold.record.trials[trial].points
        ]


def test_a_damaged_entry_is_made_again_to_the_same_bits(cold: Done, warm: Done) -> None:
    before, after = cold.record.trials[1].points, warm.record.trials[1].points
    assert [p.id for p in after] == [p.id for p in before]
    assert [p.measured.score_test for p in after] == [p.measured.score_test for p in before]
    assert warm.record.trials[1].spent["train"] > 0.0


def test_the_driver_is_told_of_a_damaged_entry(cold: Done, warm: Done) -> None:
    damaged = cold.record.trials[1].points[-1].id
    assert cold.notes == []
    assert [note for note in warm.notes if damaged in note and "is damaged" in note] == warm.notes != []


def test_ray_and_its_files_are_gone_afterwards(cold: Done) -> None:
    assert not ray.is_initialized()
    assert left_over() == []


def test_a_study_that_starts_from_another_trains_nothing_of_its_front_again(cold: Done) -> None:
    record = searched("from", cold.home, start_from="cold", max_params="100%").record
    best = {point.trial for point in front(cold.record.points, cold.record.objectives)}
    choices = [trial.choices for trial in cold.record.trials if trial.id in best and trial.choices]
    again = [trial for trial in record.trials if trial.choices in choices]
    assert len(again) == len(choices) > 0
    assert all(trial.status == "complete" and "train" not in trial.spent for trial in again)
    assert {p.id for t in again for p in t.points} >= {p.id for p in cold.record.points if p.trial in best}


def test_the_study_to_start_from_must_be_of_the_same_space(cold: Done, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="from: cold must be about the space 'joint', got 'quick'"):
        launch.search(Settings("joined", home=cold.home, start_from="cold"))
    assert not (cold.home / "studies" / "joined").exists()


def test_a_study_that_is_complete_is_resumed_without_ray(cold: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "started", None)
    assert searched("cold", cold.home, resume=True).record == cold.record


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "study cold: exists already in .*; add --resume or choose another --name"),
        (
            {"resume": True, "objectives": ("accuracy", "macs")},
            "was begun with objectives 'accuracy,params,flops', got",
        ),
        ({"resume": True, "task": "folder:x"}, r"was begun with task 'digits', got 'folder:/.*/x'"),
        ({"name": "new", "resume": True}, "study new: there is none in .* to resume"),
        (
            {"resume": True, "max_params": "2k"},
            "study cold: was begun with the bounds none, got max-params 2000; begin a new one with --from cold",
        ),
        ({"name": "new", "start_from": "nowhere"}, "study nowhere: there is none in"),
        ({"name": "new", "task": "folder:x"}, r"folder:/.*/x: a folder train/"),
        ({"name": "new", "address": "nonsense"}, "address: must be auto or HOST:PORT .*, got 'nonsense'"),
        ({"name": "new", "address": "127.0.0.1:1"}, "address: no Ray cluster answers at '127.0.0.1:1': .*refused"),
        ({"name": "new", "address": "auto"}, "address: no Ray cluster answers at 'auto'"),
        ({"name": "new", "storage_url": "nonsense"}, "storage-url: cannot open 'nonsense'"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(cold: Done, settings: dict[str, Any], sentence: str) -> None:
    if settings.get("address") == "auto" and find_gcs_addresses():  # type: ignore[no-untyped-call]
        pytest.skip("a Ray runs on this machine, which would be joined")
    before = {path: path.read_bytes() for path in (cold.home / "studies").rglob("*.*")}
    with pytest.raises(ValueError, match=sentence):
        searched(**{"name": "cold", "home": cold.home, **settings})
    assert {path: path.read_bytes() for path in (cold.home / "studies").rglob("*.*")} == before
    assert left_over() == []


def test_another_space_on_resume_is_refused(cold: Done) -> None:
    with pytest.raises(StudyError, match="study cold: was begun with space 'quick', got 'joint'"):
        check_study(cold.study, Settings("cold", home=cold.home, resume=True))


def test_a_driver_that_cannot_write_ends_the_search_and_says_so(
    tmp_path: Path, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(settings: Settings, driver: Driver, scratch: Path) -> None:
        def refuse() -> None:
            raise OSError(28, "No space left on device")

        driver.guard(refuse)

    monkeypatch.setattr(launch, "started", lambda settings, scratch: tempfile.TemporaryDirectory())
    monkeypatch.setattr(launch, "places", lambda settings: 1)
    monkeypatch.setattr(launch, "run_trials", full)
    room = rf"once there is room \(`paretune clean s --home {tmp_path}` may make some\), --resume goes on"
    with pytest.raises(launch.SearchFailed, match=rf"search s: OSError: .*No space left on device; .* kept, {room}$"):
        searched("s", tmp_path)
    with pytest.raises(launch.SearchFailed, match=r"is kept, once there is room, --resume goes on$"):
        searched("t", tmp_path, store=str(tmp_path / "elsewhere"))


def test_the_header_has_the_gpus_that_were_chosen_and_to_resume_goes_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[float | None, list[str]]] = []
    monkeypatch.setattr(launch, "started", lambda settings, scratch: tempfile.TemporaryDirectory())
    monkeypatch.setattr(launch, "places", lambda settings: 1)
    monkeypatch.setattr(
        launch,
        "run_trials",
        lambda settings, driver, scratch: given.append((settings.gpus_per_trial, driver.notes[-1:])),
    )
    for machine, asked in ((2, {}), (2, {"resume": True}), (0, {"resume": True})):
        monkeypatch.setattr("torch.cuda.device_count", lambda count=machine: count)
        searched("s", tmp_path, **asked)
    assert Study(tmp_path, "s").header["gpus_per_trial"] == 1.0
    assert [gpus for gpus, _ in given] == [1.0, 1.0, 0.0]
    assert given[0][1][0].startswith("trials take 1 GPU each, ")
    assert given[2][1] == ["the study was begun with 1 GPU a trial, this machine has none: trials run on the CPU"]


@dataclass(frozen=True)
class Survivor:
    """A study of four slow trials: its ledger after `kill -9`, and at the end of the search that was resumed."""

    killed: StudyRecord
    ended: StudyRecord
    study: Study


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Survivor:
    home = tmp_path_factory.mktemp("home")
    first = _driver(home)
    _wait(lambda: len(Study(home, "s").trials) >= 2 and Study(home, "s").trials[0].points)
    first.kill()
    first.wait()
    killed = Study(home, "s").record
    assert _driver(home, "--resume").wait(timeout=200) == 0
    _wait(lambda: not _started_by(first.pid))
    return Survivor(killed, Study(home, "s").record, Study(home, "s"))


def _driver(home: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, str(home), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait(until: Callable[[], object], seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def _started_by(driver: int) -> list[Path]:
    mark = f"paretune-{driver}-".encode()
    return [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
def test_after_kill_9_everything_finished_is_in_the_ledger(survivor: Survivor) -> None:
    assert survivor.killed.trials[0].points
    assert "running" in {trial.status for trial in survivor.killed.trials}


@pytest.mark.slow
def test_a_search_goes_on_after_kill_9_and_loses_no_point(survivor: Survivor) -> None:
    assert [trial.status for trial in survivor.ended.trials] == ["complete"] * 4
    assert [len(trial.points) for trial in survivor.ended.trials] == [1, 3, 3, 3]
    assert {p.id: p for p in survivor.killed.points}.items() <= {p.id: p for p in survivor.ended.points}.items()


@pytest.mark.slow
def test_after_kill_9_nothing_is_written_or_told_twice(survivor: Survivor) -> None:
    assert_nothing_twice(survivor.study)


@pytest.mark.slow
def test_a_killed_driver_leaves_no_folder_behind(survivor: Survivor) -> None:
    owners = {int(path.name.split("-")[1]) for path in Path(tempfile.gettempdir()).glob("paretune-[0-9]*-*")}
    assert {pid for pid in owners if not Path(f"/proc/{pid}").exists()} == set()


if __name__ == "__main__":
    main()
