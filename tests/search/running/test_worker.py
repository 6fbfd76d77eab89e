"""The worker's steps without Ray: points, how a trial ended, and a disk that refuses."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch

from compress.data.tasks import Task, load_task
from compress.errors import DiskError
from compress.latency import latency_model
from compress.latency.latency_model import LatencyModel
from compress.latency.target import Target
from compress.models import Model
from compress.recipe import Recipe
from compress.store.folder import Store
from compress.training.loop import VISIBLE, training_device
from search.beginning.begin_or_resume import take_up
from search.running.devices import ALLOCATOR, share_gpu
from search.running.failures import GpuLost, NodeError
from search.running.job import Job, StepResult
from search.running.tune_loop import _Callback
from search.running.worker import END_S, Compression
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.study import Study
from spaces import SPACES


@pytest.fixture
def worker(recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compression:
    """About to carry out one epoch of training of a narrow CNN."""
    monkeypatch.setenv(VISIBLE, "")  # the worker sets it, for its own process
    return Compression(Job(0, recipe().as_json(), str(tmp_path / "store")).as_json())


def give(worker: Compression, **changes: object) -> None:
    """Give the worker the same job with changes."""
    worker.config = replace(worker.job, **changes).as_json()  # type: ignore[arg-type]
    worker.reset_config(worker.config)


def refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_last_step_says_how_the_trial_ended(worker: Compression) -> None:
    points = []
    while True:
        result = worker.step()
        points += json.loads(result["points"])
        if result["done"]:
            break
    assert result["failed"] == ""
    assert len(points) == 1


def test_the_limit_counts_what_workers_before_have_used(worker: Compression) -> None:
    give(worker, limit=60.0)
    assert worker.step().get("failed", "") == ""
    give(worker, limit=60.0, used=61.0)
    result = worker.step()
    assert result["done"]
    assert result["failed"] == "took longer than the trial-limit of 60 s"


def test_a_users_function_opens_files_from_the_drivers_folder(
    recipe: Callable[..., Recipe], worker: Compression, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    give(worker, here=str(tmp_path / "below"))
    assert Path.cwd() == tmp_path / "below"
    give(worker, here="/nowhere")
    assert Path.cwd() == tmp_path / "below"


def test_a_given_object_is_the_task_of_its_name(worker: Compression, digits: Task) -> None:
    worker.setup(worker.config, given=replace(digits, name="object:given"))
    assert load_task("object:given").fingerprint == digits.fingerprint


def test_weights_that_a_node_does_not_see_fail_the_trial_with_a_sentence(
    recipe: Callable[..., Recipe], worker: Compression
) -> None:
    give(worker, recipe=recipe(student=Model("cnn", weights="/nowhere/w.pt")).as_json())
    result = worker.step()
    assert result["done"]
    assert result["failed"] == (
        "cnn: its weights /nowhere/w.pt must be readable, on every node that runs trials, got No such file or directory"
    )


def test_a_node_with_other_images_than_the_search_began_with_makes_no_point(worker: Compression) -> None:
    give(worker, fingerprint="0" * 64)
    result = worker.step()
    assert result["done"]
    assert json.loads(result["points"]) == []
    assert result["unfit"].startswith(
        "digits: every node must have the images the search began with, fingerprint 00000000, got 1e0dd97b on "
    )


def test_a_full_disk_is_not_the_trials_fault(worker: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "put", refuse)
    result = worker.step()
    assert result["done"]
    assert "failed" not in result
    assert "No space left on device" in result["stuck"]


def test_a_full_disk_ends_the_search_and_leaves_the_trial_to_be_resumed(study: Study, digits: Task) -> None:
    optuna_study = OptunaStudy(open_storage(None, study.folder), "s", ("accuracy", "params"), 0)
    driver = take_up(study, optuna_study, SPACES["joint"], digits, trials=2)
    driver.next()
    told = StepResult(stuck="store: cannot write x").as_json()
    _Callback(driver).on_trial_result(1, [], SimpleNamespace(config=Job(0, {}, "").as_json()), told)
    assert isinstance(driver.failure, DiskError)
    driver.close()
    assert study.unfinished == [0]


def on_gpu(worker: Compression, monkeypatch: pytest.MonkeyPatch, gpus: float = 1.0) -> Compression:
    """The worker with a GPU that torch seems to see; what runs is a stand-in."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv(VISIBLE, "0")
    give(worker, gpus=gpus)
    return worker


def raising(*errors: Exception) -> Callable[[Any], Any]:
    """In place of `_points`: raises one of these at each call, then has no more points."""
    each = iter(errors)

    def points(_: Any) -> Any:
        for error in each:
            raise error
        return iter(())

    return points


def test_a_trial_without_a_gpu_trains_on_the_cpu_of_a_machine_with_gpus(
    worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv(VISIBLE, "0,1")
    assert training_device().type == "cuda"
    worker.setup(worker.config)
    assert os.environ[VISIBLE] == ""
    assert training_device().type == "cpu"


def test_a_gpu_that_torch_does_not_see_ends_the_search_and_leaves_the_trial_to_be_resumed(
    worker: Compression, study: Study, digits: Task
) -> None:
    give(worker, gpus=0.5)
    result = worker.step()
    assert result["done"]
    assert "a trial was given a GPU of " in result["unfit"]
    assert "sees none there; the driver may be too old" in result["unfit"]
    optuna_study = OptunaStudy(open_storage(None, study.folder), "s", ("accuracy", "params"), 0)
    driver = take_up(study, optuna_study, SPACES["joint"], digits, trials=2)
    driver.next()
    _Callback(driver).on_trial_result(1, [], SimpleNamespace(config=Job(0, {}, "").as_json()), result)
    assert isinstance(driver.failure, NodeError)
    driver.close()
    assert study.unfinished == [0]


def test_a_gpu_that_torch_has_no_code_for_is_not_tried_again(
    worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device\nCompile")
    monkeypatch.setattr(Compression, "_points", raising(error))
    said = on_gpu(worker, monkeypatch).step()["unfit"]
    assert "has no code for the GPU of " in said


LOST = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be"),
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
]


@pytest.mark.parametrize("error", LOST, ids=str)
def test_a_process_that_has_lost_its_gpu_ends(
    error: Exception, worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[float, tuple[int, ...]]] = []

    def timer(seconds: float, action: object, args: tuple[int, ...]) -> Any:
        assert action is os._exit
        return SimpleNamespace(start=lambda: ended.append((seconds, args)))

    monkeypatch.setattr(threading, "Timer", timer)
    monkeypatch.setattr(Compression, "_points", raising(error))
    with pytest.raises(GpuLost, match=r"^a GPU of \S+ failed: (CUDA|cuDNN) error: .+$"):
        on_gpu(worker, monkeypatch).step()
    assert ended == [(END_S, (1,))]


FULL_GPU = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
]


@pytest.mark.parametrize("error", FULL_GPU, ids=str)
@pytest.mark.parametrize(
    ("gpus", "remedy"),
    [(0.25, "a larger --gpus-per-trial lets fewer trials share a GPU"), (1.0, "smaller models, or smaller images")],
)
def test_a_full_gpu_fails_a_trial_at_the_second_time_with_what_to_type(
    error: Exception, gpus: float, remedy: str, worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compression, "_points", raising(error, error))
    failed = on_gpu(worker, monkeypatch, gpus).step()["failed"]
    assert failed.startswith(f"out of memory: {str(error).splitlines()[0]}; ")
    assert remedy in failed


@pytest.mark.parametrize("gpus", [0.0, 1.0])
@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
     RuntimeError("std::bad_alloc")],
    ids=["python", "torch", "c++"],
)  # fmt: skip
def test_a_full_machine_fails_a_trial_with_the_option_for_its_cpus(
    error: Exception, gpus: float, worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compression, "_points", raising(error, error))
    failed = on_gpu(worker, monkeypatch, gpus).step()["failed"]
    assert failed.endswith("a larger --cpus-per-trial runs fewer trials at once")


def test_a_trial_that_was_out_of_memory_goes_on_from_the_store(
    worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked = Compression._points, iter((torch.OutOfMemoryError("CUDA out of memory."),))

    def points(trial: Compression) -> Any:
        for error in asked:
            raise error
        return whole(trial)

    monkeypatch.setattr(Compression, "_points", points)
    steps = [worker.step()]
    while not steps[-1]["done"]:
        steps.append(worker.step())
    assert steps[-1]["failed"] == ""
    assert sum(len(json.loads(step["points"])) for step in steps) == 1


def test_a_share_of_a_gpu_is_a_share_of_its_memory(worker: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[tuple[float, str | None]] = []
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda share: shares.append((share, os.environ.get(ALLOCATOR[0]))),
    )
    for name in ALLOCATOR:
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)
    for gpus in (0.0, 1.0, 0.25):
        assert ALLOCATOR[0] not in os.environ
        worker.setup(on_gpu(worker, monkeypatch, gpus).config)
    assert shares == [(0.25, "expandable_segments:True")]


@pytest.mark.parametrize("name", ALLOCATOR)
def test_what_a_user_told_torchs_allocator_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share: None)
    for other in ALLOCATOR:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "max_split_size_mb:64")
    share_gpu(0.5)
    assert {other: os.environ.get(other) for other in ALLOCATOR if other in os.environ} == {
        name: "max_split_size_mb:64"
    }


def test_memory_of_a_gpu_is_given_back_at_a_trials_end(worker: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given.append(worker.pipeline is None))
    while not worker.step()["done"]:
        assert given == []
    assert given == [True]


def test_the_data_are_put_on_the_device_once_for_all_trials_of_a_worker(
    worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[Task] = []
    there = Task.to

    def to(task: Task, device: torch.device | str) -> Task:
        found = there(task, device)
        moved.append(found)
        return found

    monkeypatch.setattr(Task, "to", to)
    for _ in range(2):
        while not worker.step()["done"]:
            pass
        worker.reset_config(worker.config)
    copied, *shared = moved
    assert len(shared) == 2
    assert all(one.train.targets is copied.train.targets for one in shared)


def test_a_point_has_the_latency_foreseen_for_the_target_of_its_study(worker: Compression) -> None:
    model = LatencyModel(Target("torch", "cpu", 2), "here", {"net one": 0.25})
    give(worker, latency=model.as_json())
    (point,) = json.loads(worker.step()["points"])
    found = point["measured"]
    assert (found["latency_ms"], found["latency_p95_ms"]) == (0.25, 0.25)
    assert (found["device"], found["machine"], found["threads"]) == ("torch:cpu:2", "here", 2)


def test_a_network_whose_latency_cannot_be_foreseen_keeps_its_measured_latency_and_no_point_is_lost(
    worker: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError("no kernel of that kind")

    monkeypatch.setattr(latency_model, "work", fail)
    give(worker, latency=LatencyModel(Target(), "here", {}).as_json())
    result = worker.step()
    (point,) = json.loads(result["points"])
    assert point["measured"]["device"] == "cpu"
    (note,) = json.loads(result["notes"])
    assert "cannot be followed (RuntimeError: no kernel of that kind" in note
