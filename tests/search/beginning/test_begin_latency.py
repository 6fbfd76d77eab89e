"""A search with a target foresees latencies, keeps to a bound on latency, and measures the front."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compress.data.tasks import Task
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel, machine_of
from compress.latency.target import Target
from compress.store.folder import Store
from search.beginning import begin_latency, launch
from search.beginning.begin_latency import FOLDER, known, latency_of
from search.settings import Settings
from search.study.names import StudyError
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import SPACES
from spaces.space import EFFORT, Effort
from tests.search.beginning.test_launch import QUICK

RATES = {"net one": 0.01, "conv one": 0.001, "conv of few one": 0.001, "conv multiplications": 1e-7, "linear one": 1e-3}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """The targets that were calibrated; in no time, with made-up rates."""
    targets: list[Target] = []

    def calibrated(target: Target, told: object) -> LatencyModel:
        targets.append(target)
        return LatencyModel(target, machine_of(target), RATES)

    monkeypatch.setattr(begin_latency, "calibrated", calibrated)
    monkeypatch.setattr(begin_latency, "is_busy", lambda: False)
    return targets


def searched(home: Path, name: str = "s", **settings: Any) -> tuple[StudyRecord, list[str]]:
    said: list[str] = []

    class Ear(launch.Listener):
        def said(self, line: str) -> None:
            said.append(line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES, "quick", QUICK)
        patch.setitem(EFFORT, "digits", Effort(1, 1))
        asked = {"space": "quick", "trials": 3, "sampler": "random", **settings}
        return launch.search(Settings(name, home=home, **asked), Ear()), said


def test_rates_are_measured_once_a_home_and_a_damaged_file_is_measured_again(
    made: list[Target], tmp_path: Path
) -> None:
    first = known(Target(), tmp_path, print)
    assert known(Target(), tmp_path, print) == first
    assert made == [Target()]
    known(Target("torch"), tmp_path, print)
    assert made == [Target(), Target("torch")]
    for file in tmp_path.iterdir():
        file.write_text("{")
    assert known(Target(), tmp_path, print) == first
    assert len(made) == 3


def test_rates_of_a_busy_machine_are_not_kept(
    made: list[Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(begin_latency, "is_busy", lambda: True)
    known(Target(), tmp_path, said.append)
    known(Target(), tmp_path, said.append)
    assert made == [Target(), Target()]
    assert "for this search alone: the machine is busy" in said[0]


def test_nothing_is_timed_before_the_settings_are_found_right(made: list[Target], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="images must be at least 14x14"):
        searched(tmp_path, space="joint", max_latency_ms="60%", students=("cnn-10k",), teachers=("cnn-10k",))
    assert made == []


def test_a_study_is_about_latencies_where_target_objective_or_bound_is(made: list[Target], tmp_path: Path) -> None:
    study = Study(tmp_path, "s")
    plain = Settings("s", home=tmp_path)
    assert latency_of(study, plain, plain.objectives, print) is None
    about = [
        (Settings("s", home=tmp_path, target="torch:cpu:2"), plain.objectives, Target("torch", "cpu", 2)),
        (plain, ("accuracy", LATENCY), Target()),
        (Settings("s", home=tmp_path, max_latency_ms="2"), plain.objectives, Target()),
    ]
    for settings, objectives, target in about:
        found = latency_of(study, settings, objectives, print)
        assert found is not None
        assert found.target == target


def test_a_search_with_a_bound_tries_what_is_foreseen_within_and_measures_its_front(
    made: list[Target], tmp_path: Path, digits: Task
) -> None:
    record, said = searched(tmp_path, max_latency_ms="95%", objectives=("accuracy", LATENCY))
    assert made == [Target()]
    assert record.target == "onnx:cpu:1"
    model = LatencyModel.from_json(record.header["latency"])
    whole = record.header["reference_point"][LATENCY]
    assert whole == pytest.approx(model.foresee(QUICK.teacher.build(10, 1), digits.shape).ms)
    store = Store(tmp_path / "store")
    for trial in record.trials[1:]:
        entries = [entry for point in trial.points if (entry := store.get(point.id)) is not None]
        latencies = [model.foresee(entry.files().module(), digits.shape).ms for entry in entries]
        assert not latencies or min(latencies) <= 0.95 * whole
    assert {point.measured.device for point in record.points} == {"onnx:cpu:1"}
    foreseen = [point for point in record.points if point.id not in record.timed]
    for point in foreseen:
        assert point.measured.latency_ms == point.measured.latency_p95_ms
    assert record.teacher is not None
    assert record.teacher.id in record.timed
    assert any(line.startswith(f"latency: {len(record.timed)} models of the front were measured") for line in said)
    assert Study(tmp_path, "s").record.points == record.points

    with pytest.raises(StudyError, match="was begun with the target onnx:cpu:1, got target 'torch'"):
        searched(tmp_path, resume=True, trials=4, target="torch")
    again, _ = searched(tmp_path, resume=True, trials=4, target="onnx")
    assert len(again.trials) == 4
    assert again.header["latency"] == record.header["latency"]
    assert made == [Target()]


def test_a_bound_no_network_can_be_cut_to_is_refused_before_anything_starts(made: list[Target], tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"max-latency-ms must be something that a network of quick can be cut to, 0.01"
    ):
        searched(tmp_path, max_latency_ms="0.005")
    assert not (tmp_path / "studies").exists()
    assert (tmp_path / FOLDER).exists()


def test_a_study_without_a_target_measures_latencies_in_its_trials(made: list[Target], tmp_path: Path) -> None:
    record, _ = searched(tmp_path, trials=1)
    assert (record.target, record.timed, made) == ("", frozenset(), [])
    assert {point.measured.device for point in record.points} == {"cpu"}
    with pytest.raises(StudyError, match="was begun with latencies as measured in its trials, got target 'onnx'"):
        searched(tmp_path, resume=True, trials=2, target="onnx")
